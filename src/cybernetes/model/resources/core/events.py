from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Event",
    plural="events",
    singular="event",
    namespaced=True,
    short_names=("ev",),
    storage_version_hash="r2yiGXH7wu8=",
    schema="io.k8s.api.core.v1.Event",
)
