from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    namespaced=True,
    short_names=("hpa",),
    categories=("all",),
    subresources=(Subresource(name="status", kind="HorizontalPodAutoscaler", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="qwQve8ut294=",
    schema="io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
)
