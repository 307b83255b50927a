from cybernetes.model.printing.core import REPLICATION_CONTROLLERS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.selectable import numbers
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.names import long_name
from cybernetes.model.validation.workload_statuses import validate_replica_set_status
from cybernetes.model.validation.workloads import validate_replication_controller
from cybernetes.model.warnings.pods import of_template

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
        Subresource(
            name="status",
            kind="ReplicationController",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=validate_replica_set_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="Jond2If31h0=",
    strategy=standard(
        namespaced=True,
        warnings=of_template("spec", "template"),
        name_rule=long_name,
        validate=validate_replication_controller,
        prepare_create=(
            empty_status,
            first_generation,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
        ),
        default_propagation="Orphan",
        reset_fields=(("status",),),
    ),
    fields=numbers("status.replicas"),
    columns=REPLICATION_CONTROLLERS,
    schema="io.k8s.api.core.v1.ReplicationController",
)
