from cybernetes.model.printing.workloads import DAEMON_SETS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.workloads import validate_daemon_set, validate_daemon_set_update

RESOURCE = Resource(
    group="apps",
    version="v1",
    kind="DaemonSet",
    plural="daemonsets",
    singular="daemonset",
    namespaced=True,
    short_names=("ds",),
    categories=("all",),
    subresources=(
        Subresource(
            name="status", kind="DaemonSet", verbs=GET_PATCH_UPDATE, strategy=status_of(reset_fields=(("spec",),))
        ),
    ),
    storage_version_hash="dd7pWHUlMKQ=",
    strategy=standard(
        namespaced=True,
        validate=validate_daemon_set,
        validate_update=validate_daemon_set_update,
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
    columns=DAEMON_SETS,
    schema="io.k8s.api.apps.v1.DaemonSet",
)
