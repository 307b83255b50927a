from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="node.k8s.io",
    version="v1",
    kind="RuntimeClass",
    plural="runtimeclasses",
    singular="runtimeclass",
    namespaced=False,
    storage_version_hash="WQTu1GL3T2Q=",
    schema="io.k8s.api.node.v1.RuntimeClass",
)
