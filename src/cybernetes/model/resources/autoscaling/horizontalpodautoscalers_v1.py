from cybernetes.model.printing.workloads import HORIZONTAL_POD_AUTOSCALERS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.autoscaling import validate_autoscaler_v1
from cybernetes.model.validation.workload_statuses import validate_autoscaler_status

RESOURCE = Resource(
    group="autoscaling",
    version="v1",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    namespaced=True,
    short_names=("hpa",),
    categories=("all",),
    subresources=(
        Subresource(
            name="status",
            kind="HorizontalPodAutoscaler",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=validate_autoscaler_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="qwQve8ut294=",
    stored_as=("autoscaling", "v2", "horizontalpodautoscalers"),
    strategy=standard(
        namespaced=True,
        validate=validate_autoscaler_v1,
        prepare_create=(empty_status,),
        prepare_update=(keep("status"),),
        reset_fields=(("status",),),
    ),
    columns=HORIZONTAL_POD_AUTOSCALERS,
    schema="io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
)
