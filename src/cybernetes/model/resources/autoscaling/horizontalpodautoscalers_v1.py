from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="autoscaling",
    version="v1",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    namespaced=True,
    short_names=("hpa",),
    categories=("all",),
    subresources=(Subresource(name="status", kind="HorizontalPodAutoscaler", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="qwQve8ut294=",
    stored_as=("autoscaling", "v2", "horizontalpodautoscalers"),
    schema="io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
)
