from cybernetes.base.number import whole
from cybernetes.model.printing.workloads import DAEMON_SETS
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Subresource, WriteContext
from cybernetes.model.strategy import empty_status, first_generation, keep, next_generation, standard, status_of
from cybernetes.model.validation.workload_statuses import validate_daemon_set_status
from cybernetes.model.validation.workloads import validate_daemon_set, validate_daemon_set_update
from cybernetes.model.warnings.pods import of_template

_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _first_template(obj: Object, ctx: WriteContext) -> None:
    _annotate(obj, _templates(obj))


def _next_template(obj: Object, old: Object, ctx: WriteContext) -> None:
    _annotate(obj, _templates(old) + (obj["spec"]["template"] != old["spec"]["template"]))


def _same_template(obj: Object, old: Object, ctx: WriteContext) -> None:
    _annotate(obj, _templates(old))


def _templates(obj: Object) -> int:
    told = (obj["metadata"].get("annotations") or {}).get(_TEMPLATE_GENERATION, "")
    return max(1, whole(told) or 1)


def _annotate(obj: Object, generation: int) -> None:
    """The count of templates, which was a field before apps/v1, is an annotation since."""
    annotations = {**(obj["metadata"].get("annotations") or {}), _TEMPLATE_GENERATION: str(generation)}
    obj["metadata"]["annotations"] = {name: annotations[name] for name in sorted(annotations)}


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
            name="status",
            kind="DaemonSet",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(
                validate_update=validate_daemon_set_status,
                prepare_update=(_same_template,),
                reset_fields=(("spec",),),
            ),
        ),
    ),
    storage_version_hash="dd7pWHUlMKQ=",
    strategy=standard(
        namespaced=True,
        warnings=of_template("spec", "template"),
        validate=validate_daemon_set,
        validate_update=validate_daemon_set_update,
        prepare_create=(
            empty_status,
            first_generation,
            _first_template,
        ),
        prepare_update=(
            keep("status"),
            next_generation("spec"),
            _next_template,
        ),
        reset_fields=(("status",),),
    ),
    columns=DAEMON_SETS,
    schema="io.k8s.api.apps.v1.DaemonSet",
)
