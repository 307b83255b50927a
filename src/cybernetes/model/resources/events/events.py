from cybernetes.model.printing.core import EVENTS
from cybernetes.model.resource import Resource
from cybernetes.model.selectable import paths, reference
from cybernetes.model.strategy import standard

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
    strategy=standard(namespaced=True, allow_create_on_update=True, default_propagation="Unsupported"),
    fields={**reference("regarding"), **paths("reason", "reportingController", "type")},
    columns=EVENTS,
    schema="io.k8s.api.events.v1.Event",
)
