from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Service",
    plural="services",
    singular="service",
    namespaced=True,
    short_names=("svc",),
    categories=("all",),
    subresources=(
        Subresource(name="proxy", kind="ServiceProxyOptions", verbs=("create", "delete", "get", "patch", "update")),
        Subresource(name="status", kind="Service", verbs=GET_PATCH_UPDATE),
    ),
    storage_version_hash="0/CO1lhkEBI=",
    schema="io.k8s.api.core.v1.Service",
)
