from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="ReplicationController",
    plural="replicationcontrollers",
    singular="replicationcontroller",
    namespaced=True,
    short_names=("rc",),
    categories=("all",),
    subresources=(
        Subresource(name="scale", kind="Scale", group="autoscaling", version="v1", verbs=GET_PATCH_UPDATE),
        Subresource(name="status", kind="ReplicationController", verbs=GET_PATCH_UPDATE),
    ),
    storage_version_hash="Jond2If31h0=",
    schema="io.k8s.api.core.v1.ReplicationController",
)
