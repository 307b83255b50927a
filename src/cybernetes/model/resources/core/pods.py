from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    singular="pod",
    namespaced=True,
    short_names=("po",),
    categories=("all",),
    subresources=(
        Subresource(name="attach", kind="PodAttachOptions", verbs=("create", "get")),
        Subresource(name="binding", kind="Binding", verbs=("create",)),
        Subresource(name="ephemeralcontainers", kind="Pod", verbs=GET_PATCH_UPDATE),
        Subresource(name="eviction", kind="Eviction", group="policy", version="v1", verbs=("create",)),
        Subresource(name="exec", kind="PodExecOptions", verbs=("create", "get")),
        Subresource(name="log", kind="Pod", verbs=("get",)),
        Subresource(name="portforward", kind="PodPortForwardOptions", verbs=("create", "get")),
        Subresource(name="proxy", kind="PodProxyOptions", verbs=("create", "delete", "get", "patch", "update")),
        Subresource(name="resize", kind="Pod", verbs=GET_PATCH_UPDATE),
        Subresource(name="status", kind="Pod", verbs=GET_PATCH_UPDATE),
    ),
    storage_version_hash="xPOwRZ+Yhw8=",
    schema="io.k8s.api.core.v1.Pod",
)
