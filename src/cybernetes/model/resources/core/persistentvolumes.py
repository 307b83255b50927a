from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="PersistentVolume",
    plural="persistentvolumes",
    singular="persistentvolume",
    namespaced=False,
    short_names=("pv",),
    subresources=(Subresource(name="status", kind="PersistentVolume", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="HN/zwEC+JgM=",
    schema="io.k8s.api.core.v1.PersistentVolume",
)
