from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="StatefulSet",
    plural="statefulsets",
    singular="statefulset",
    namespaced=True,
    short_names=("sts",),
    categories=("all",),
    subresources=(
        Subresource(name="scale", kind="Scale", group="autoscaling", version="v1", verbs=GET_PATCH_UPDATE),
        Subresource(name="status", kind="StatefulSet", verbs=GET_PATCH_UPDATE),
    ),
    storage_version_hash="H+vl74LkKdo=",
    schema="io.k8s.api.apps.v1.StatefulSet",
)
