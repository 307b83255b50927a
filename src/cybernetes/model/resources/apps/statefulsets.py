from cybernetes.model.printing.workloads import STATEFUL_SETS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.names import dns_label
from cybernetes.model.validation.workload_statuses import validate_stateful_set_status
from cybernetes.model.validation.workloads import validate_stateful_set, validate_stateful_set_update
from cybernetes.model.warnings.pods import of_template

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
        Subresource(
            name="status",
            kind="StatefulSet",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=validate_stateful_set_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="H+vl74LkKdo=",
    strategy=standard(
        namespaced=True,
        warnings=of_template("spec", "template"),
        name_rule=dns_label,
        validate=validate_stateful_set,
        validate_update=validate_stateful_set_update,
        prepare_create=(
            empty_status,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
        ),
        reset_fields=(("status",),),
    ),
    columns=STATEFUL_SETS,
    schema="io.k8s.api.apps.v1.StatefulSet",
)
