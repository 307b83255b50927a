from cybernetes.base.random import uid
from cybernetes.model.resource import Object, Resource, WriteContext
from cybernetes.model.strategy import standard
from cybernetes.model.validation.limits import validate_limit_range


def _name(obj: Object, ctx: WriteContext) -> None:
    """The one kind that gets a name where it has none."""
    if not obj["metadata"].get("name"):
        obj["metadata"]["name"] = uid(ctx.random)


RESOURCE = Resource(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    singular="limitrange",
    namespaced=True,
    short_names=("limits",),
    storage_version_hash="EBKMFVe6cwo=",
    strategy=standard(
        namespaced=True,
        validate=validate_limit_range,
        prepare_create=(_name,),
        allow_create_on_update=True,
    ),
    schema="io.k8s.api.core.v1.LimitRange",
)
