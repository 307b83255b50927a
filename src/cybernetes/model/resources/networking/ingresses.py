from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="Ingress",
    plural="ingresses",
    singular="ingress",
    namespaced=True,
    short_names=("ing",),
    subresources=(Subresource(name="status", kind="Ingress", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="39NQlfNR+bo=",
    schema="io.k8s.api.networking.v1.Ingress",
)
