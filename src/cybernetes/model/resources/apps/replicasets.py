from cybernetes.model.printing.workloads import REPLICA_SETS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.selectable import numbers
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.workload_statuses import validate_replica_set_status
from cybernetes.model.validation.workloads import validate_replica_set, validate_replica_set_update
from cybernetes.model.warnings.pods import of_template

RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="ReplicaSet",
    plural="replicasets",
    singular="replicaset",
    namespaced=True,
    short_names=("rs",),
    categories=("all",),
    subresources=(
        Subresource(name="scale", kind="Scale", group="autoscaling", version="v1", verbs=GET_PATCH_UPDATE),
        Subresource(
            name="status",
            kind="ReplicaSet",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=validate_replica_set_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="P1RzHs8/mWQ=",
    strategy=standard(
        namespaced=True,
        warnings=of_template("spec", "template"),
        validate=validate_replica_set,
        validate_update=validate_replica_set_update,
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
    fields=numbers("status.replicas"),
    columns=REPLICA_SETS,
    schema="io.k8s.api.apps.v1.ReplicaSet",
)
