from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="DaemonSet",
    plural="daemonsets",
    singular="daemonset",
    namespaced=True,
    short_names=("ds",),
    categories=("all",),
    subresources=(Subresource(name="status", kind="DaemonSet", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="dd7pWHUlMKQ=",
    schema="io.k8s.api.apps.v1.DaemonSet",
)
