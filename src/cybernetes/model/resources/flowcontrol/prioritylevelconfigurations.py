from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
    singular="prioritylevelconfiguration",
    namespaced=False,
    subresources=(Subresource(name="status", kind="PriorityLevelConfiguration", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="Kir5PVfvNeI=",
    schema="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
)
