from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="CertificateSigningRequest",
    plural="certificatesigningrequests",
    singular="certificatesigningrequest",
    namespaced=False,
    short_names=("csr",),
    subresources=(
        Subresource(name="approval", kind="CertificateSigningRequest", verbs=GET_PATCH_UPDATE),
        Subresource(name="status", kind="CertificateSigningRequest", verbs=GET_PATCH_UPDATE),
    ),
    storage_version_hash="95fRKMXA+00=",
    schema="io.k8s.api.certificates.v1.CertificateSigningRequest",
)
