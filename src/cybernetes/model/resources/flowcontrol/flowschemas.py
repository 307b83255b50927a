from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="FlowSchema",
    plural="flowschemas",
    singular="flowschema",
    namespaced=False,
    subresources=(Subresource(name="status", kind="FlowSchema", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="GJVAJZSZBIw=",
    schema="io.k8s.api.flowcontrol.v1.FlowSchema",
)
