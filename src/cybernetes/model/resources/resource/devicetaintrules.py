from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceTaintRule",
    plural="devicetaintrules",
    singular="devicetaintrule",
    namespaced=False,
    subresources=(Subresource(name="status", kind="DeviceTaintRule", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="qvhYPLi0ox4=",
    schema="io.k8s.api.resource.v1.DeviceTaintRule",
)
