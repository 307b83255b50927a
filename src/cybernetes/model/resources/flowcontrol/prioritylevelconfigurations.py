from cybernetes.model.printing.cluster import PRIORITY_LEVELS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.flowcontrol import validate_priority_level

RESOURCE = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
    singular="prioritylevelconfiguration",
    namespaced=False,
    subresources=(
        Subresource(
            name="status",
            kind="PriorityLevelConfiguration",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="Kir5PVfvNeI=",
    strategy=standard(
        namespaced=False,
        validate=validate_priority_level,
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
    columns=PRIORITY_LEVELS,
    schema="io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
)
