from cybernetes.model.printing.core import COMPONENT_STATUSES
from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="ComponentStatus",
    plural="componentstatuses",
    singular="componentstatus",
    namespaced=False,
    short_names=("cs",),
    deprecation="v1 ComponentStatus is deprecated in v1.19+",
    verbs=("get", "list"),
    columns=COMPONENT_STATUSES,
    schema="io.k8s.api.core.v1.ComponentStatus",
)
