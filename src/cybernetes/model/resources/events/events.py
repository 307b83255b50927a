from cybernetes.model.convert import between
from cybernetes.model.field import FieldError
from cybernetes.model.printing.core import EVENTS
from cybernetes.model.resource import Object, Resource
from cybernetes.model.selectable import paths, reference
from cybernetes.model.strategy import standard
from cybernetes.model.validation.events import validate_new_event, validate_new_event_update

_to_core = between("events.k8s.io/v1", "v1", "Event")


def _validate(obj: Object) -> list[FieldError]:
    return validate_new_event(_to_core(obj))


def _validate_update(obj: Object, old: Object) -> list[FieldError]:
    return validate_new_event_update(_to_core(obj), _to_core(old))


RESOURCE = Resource(
    group="events.k8s.io",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    namespaced=True,
    short_names=("ev",),
    storage_version_hash="r2yiGXH7wu8=",
    stored_as=("", "v1", "events"),
    strategy=standard(
        namespaced=True,
        validate=_validate,
        validate_update=_validate_update,
        allow_create_on_update=True,
        default_propagation="Unsupported",
    ),
    fields={**reference("regarding"), **paths("reason", "reportingController", "type")},
    columns=EVENTS,
    schema="io.k8s.api.events.v1.Event",
)
