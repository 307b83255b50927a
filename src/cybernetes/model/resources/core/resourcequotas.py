from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    singular="resourcequota",
    namespaced=True,
    short_names=("quota",),
    subresources=(Subresource(name="status", kind="ResourceQuota", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="8uhSgffRX6w=",
    schema="io.k8s.api.core.v1.ResourceQuota",
)
