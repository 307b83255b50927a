from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    singular="persistentvolumeclaim",
    namespaced=True,
    short_names=("pvc",),
    subresources=(Subresource(name="status", kind="PersistentVolumeClaim", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="QWTyNDq0dC4=",
    schema="io.k8s.api.core.v1.PersistentVolumeClaim",
)
