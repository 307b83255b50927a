from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    singular="node",
    namespaced=False,
    short_names=("no",),
    subresources=(
        Subresource(name="proxy", kind="NodeProxyOptions", verbs=("create", "delete", "get", "patch", "update")),
        Subresource(name="status", kind="Node", verbs=GET_PATCH_UPDATE),
    ),
    storage_version_hash="XwShjMxG9Fs=",
    schema="io.k8s.api.core.v1.Node",
)
