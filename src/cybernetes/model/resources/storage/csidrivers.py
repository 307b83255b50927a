from cybernetes.model.printing.cluster import CSI_DRIVERS
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    singular="csidriver",
    namespaced=False,
    storage_version_hash="hL6j/rwBV5w=",
    strategy=standard(namespaced=False, allow_unconditional_update=False, returns_deleted_object=True),
    columns=CSI_DRIVERS,
    schema="io.k8s.api.storage.v1.CSIDriver",
)
