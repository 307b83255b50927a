from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaim",
    plural="resourceclaims",
    singular="resourceclaim",
    namespaced=True,
    subresources=(Subresource(name="status", kind="ResourceClaim", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="wgAZaHcZxUg=",
    schema="io.k8s.api.resource.v1.ResourceClaim",
)
