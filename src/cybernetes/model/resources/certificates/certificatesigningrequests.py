from cybernetes.model.printing.cluster import CERTIFICATE_SIGNING_REQUESTS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.selectable import paths
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation import signing_requests
from cybernetes.model.validation.names import path_segment

RESOURCE = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="CertificateSigningRequest",
    plural="certificatesigningrequests",
    singular="certificatesigningrequest",
    namespaced=False,
    short_names=("csr",),
    subresources=(
        Subresource(
            name="approval",
            kind="CertificateSigningRequest",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(
                prepare_update=(signing_requests.keep_certificate, signing_requests.stamp_conditions),
                validate_update=signing_requests.validate_approval,
                reset_fields=(("spec",), ("status", "certificate")),
            ),
        ),
        Subresource(
            name="status",
            kind="CertificateSigningRequest",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(
                prepare_update=(signing_requests.stamp_conditions,),
                validate_update=signing_requests.validate_status,
                reset_fields=(("spec",),),
            ),
        ),
    ),
    storage_version_hash="95fRKMXA+00=",
    strategy=standard(
        namespaced=False,
        meta_checks_on_update=2,
        name_rule=path_segment,
        validate=signing_requests.validate,
        validate_update=lambda obj, old: [],
        prepare_create=(signing_requests.name_requester, empty_status),
        prepare_update=(keep("spec", "status"),),
        reset_fields=(("spec",), ("status",)),
    ),
    fields=paths("spec.signerName"),
    columns=CERTIFICATE_SIGNING_REQUESTS,
    schema="io.k8s.api.certificates.v1.CertificateSigningRequest",
)
