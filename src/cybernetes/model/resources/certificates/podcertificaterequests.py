from cybernetes.model.printing.cluster import POD_CERTIFICATE_REQUESTS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.selectable import paths
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.pod_certificates import (
    fill_request,
    validate_request,
    validate_request_status,
    validate_request_update,
)

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
            strategy=status_of(validate_update=validate_request_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="y6DwA8NQC8M=",
    strategy=standard(
        namespaced=True,
        validate=validate_request,
        validate_update=validate_request_update,
        prepare_create=(empty_status, fill_request),
        prepare_update=(keep("status"),),
        allow_unconditional_update=False,
        reset_fields=(("status",),),
    ),
    fields=paths("spec.signerName", "spec.podName", "spec.nodeName"),
    columns=POD_CERTIFICATE_REQUESTS,
    schema="io.k8s.api.certificates.v1.PodCertificateRequest",
)
