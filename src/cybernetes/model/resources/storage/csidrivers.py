from cybernetes.model.printing.cluster import CSI_DRIVERS
from cybernetes.model.resource import Object, Resource, WriteContext
from cybernetes.model.strategy import standard
from cybernetes.model.validation.storage import validate_csi_driver, validate_csi_driver_update

_TOKENS = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible "
    "logging of tokens in volume attributes"
)


def _warnings(obj: Object, old: Object | None, ctx: WriteContext) -> list[str]:
    if old is not None:
        return []
    spec = obj["spec"]
    return [_TOKENS] if spec.get("tokenRequests") and spec.get("serviceAccountTokenInSecrets") is None else []


RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    singular="csidriver",
    namespaced=False,
    storage_version_hash="hL6j/rwBV5w=",
    strategy=standard(
        namespaced=False,
        validate=validate_csi_driver,
        validate_update=validate_csi_driver_update,
        allow_unconditional_update=False,
        returns_deleted_object=True,
        warnings=_warnings,
    ),
    columns=CSI_DRIVERS,
    schema="io.k8s.api.storage.v1.CSIDriver",
)
