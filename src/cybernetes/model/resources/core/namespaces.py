from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    singular="namespace",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=(
        Subresource(name="finalize", kind="Namespace", verbs=("update",)),
        Subresource(name="status", kind="Namespace", verbs=GET_PATCH_UPDATE),
    ),
    storage_version_hash="Q3oi5N2YM8M=",
    schema="io.k8s.api.core.v1.Namespace",
)
