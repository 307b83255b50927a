from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="PodCertificateRequest",
    plural="podcertificaterequests",
    singular="podcertificaterequest",
    namespaced=True,
    subresources=(Subresource(name="status", kind="PodCertificateRequest", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="y6DwA8NQC8M=",
    schema="io.k8s.api.certificates.v1.PodCertificateRequest",
)
