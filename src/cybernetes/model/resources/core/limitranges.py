from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.limits import validate_limit_range

RESOURCE = Resource(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    singular="limitrange",
    namespaced=True,
    short_names=("limits",),
    storage_version_hash="EBKMFVe6cwo=",
    strategy=standard(namespaced=True, validate=validate_limit_range, allow_create_on_update=True),
    schema="io.k8s.api.core.v1.LimitRange",
)
