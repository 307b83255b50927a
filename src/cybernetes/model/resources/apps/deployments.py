from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    singular="deployment",
    namespaced=True,
    short_names=("deploy",),
    categories=("all",),
    subresources=(
        Subresource(name="scale", kind="Scale", group="autoscaling", version="v1", verbs=GET_PATCH_UPDATE),
        Subresource(name="status", kind="Deployment", verbs=GET_PATCH_UPDATE),
    ),
    storage_version_hash="8aSe+NMegvE=",
    schema="io.k8s.api.apps.v1.Deployment",
)
