from cybernetes.model.printing.core import EVENTS
from cybernetes.model.resource import Resource
from cybernetes.model.selectable import event_source, paths, reference
from cybernetes.model.strategy import standard
from cybernetes.model.validation.events import validate_core_event
from cybernetes.model.validation.names import path_segment

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    namespaced=True,
    short_names=("ev",),
    storage_version_hash="r2yiGXH7wu8=",
    strategy=standard(
        namespaced=True,
        name_rule=path_segment,
        validate=validate_core_event,
        allow_create_on_update=True,
        default_propagation="Unsupported",
    ),
    fields={**reference("involvedObject"), **paths("reason", "reportingComponent", "type"), "source": event_source},
    columns=EVENTS,
    schema="io.k8s.api.core.v1.Event",
)
