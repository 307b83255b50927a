from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="ReplicaSet",
    plural="replicasets",
    singular="replicaset",
    namespaced=True,
    short_names=("rs",),
    categories=("all",),
    subresources=(
        Subresource(name="scale", kind="Scale", group="autoscaling", version="v1", verbs=GET_PATCH_UPDATE),
        Subresource(name="status", kind="ReplicaSet", verbs=GET_PATCH_UPDATE),
    ),
    storage_version_hash="P1RzHs8/mWQ=",
    schema="io.k8s.api.apps.v1.ReplicaSet",
)
