import msgspec

from cybernetes.base.clock import rfc3339
from cybernetes.model.field import FieldError
from cybernetes.model.printing.cluster import API_SERVICES
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Subresource, WriteContext
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.api_services import name_errors, validate_api_service
from cybernetes.model.validation.meta import validate_meta, validate_meta_update


def _local_is_available(obj: Object, ctx: WriteContext) -> None:
    """What this server serves itself needs no check."""
    if (obj.get("spec") or {}).get("service") is None:
        condition = {
            "type": "Available",
            "status": "True",
            "lastTransitionTime": rfc3339(ctx.now),
            "reason": "Local",
            "message": "Local APIServices are always available",
        }
        obj["status"] = {"conditions": [condition]}


def _validate_create(obj: Object, ctx: WriteContext) -> list[FieldError]:
    meta = validate_meta(obj, namespaced=False, name_rule=lambda name: name_errors(obj, name))
    return meta + validate_api_service(obj)


def _validate_update(obj: Object, old: Object, ctx: WriteContext) -> list[FieldError]:
    return validate_meta_update(obj, old) + _validate_create(obj, ctx)


RESOURCE = Resource(
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    plural="apiservices",
    singular="apiservice",
    namespaced=False,
    categories=("api-extensions",),
    subresources=(
        Subresource(
            name="status", kind="APIService", verbs=GET_PATCH_UPDATE, strategy=status_of(reset_fields=(("spec",),))
        ),
    ),
    storage_version_hash="InPBPD7+PqM=",
    strategy=msgspec.structs.replace(
        standard(
            namespaced=False,
            prepare_create=(empty_status, _local_is_available),
            prepare_update=(keep("status"),),
            allow_unconditional_update=False,
            reset_fields=(("status",),),
        ),
        validate_create=_validate_create,
        validate_update=_validate_update,
    ),
    columns=API_SERVICES,
    schema="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
)
