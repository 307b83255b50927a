from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttachment",
    plural="volumeattachments",
    singular="volumeattachment",
    namespaced=False,
    subresources=(Subresource(name="status", kind="VolumeAttachment", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="tJx/ezt6UDU=",
    schema="io.k8s.api.storage.v1.VolumeAttachment",
)
