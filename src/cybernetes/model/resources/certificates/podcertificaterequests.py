from cybernetes.model.printing.cluster import POD_CERTIFICATE_REQUESTS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.selectable import paths
from cybernetes.model.strategy import empty_status, keep, standard, status_of

RESOURCE = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="PodCertificateRequest",
    plural="podcertificaterequests",
    singular="podcertificaterequest",
    namespaced=True,
    subresources=(
        Subresource(
            name="status",
            kind="PodCertificateRequest",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="y6DwA8NQC8M=",
    strategy=standard(
        namespaced=True,
        prepare_create=(empty_status,),
        prepare_update=(keep("status"),),
        allow_unconditional_update=False,
        reset_fields=(("status",),),
    ),
    fields=paths("spec.signerName", "spec.podName", "spec.nodeName"),
    columns=POD_CERTIFICATE_REQUESTS,
    schema="io.k8s.api.certificates.v1.PodCertificateRequest",
)
