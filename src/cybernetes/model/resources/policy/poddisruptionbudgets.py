from cybernetes.model.printing.workloads import POD_DISRUPTION_BUDGETS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.classes import validate_disruption_budget
from cybernetes.model.validation.names import path_segment
from cybernetes.model.validation.workload_statuses import validate_budget_status

RESOURCE = Resource(
    group="policy",
    version="v1",
    kind="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    singular="poddisruptionbudget",
    namespaced=True,
    short_names=("pdb",),
    subresources=(
        Subresource(
            name="status",
            kind="PodDisruptionBudget",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=validate_budget_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="EVWiDmWqyJw=",
    strategy=standard(
        namespaced=True,
        meta_checks_on_update=0,
        name_rule=path_segment,
        validate=validate_disruption_budget,
        prepare_create=(
            empty_status,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
        ),
        allow_unconditional_update=False,
        reset_fields=(("status",),),
    ),
    columns=POD_DISRUPTION_BUDGETS,
    schema="io.k8s.api.policy.v1.PodDisruptionBudget",
)
