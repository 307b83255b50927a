from cybernetes.model.printing.cluster import CSI_STORAGE_CAPACITIES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.storage import validate_storage_capacity, validate_storage_capacity_update

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIStorageCapacity",
    plural="csistoragecapacities",
    singular="csistoragecapacity",
    namespaced=True,
    storage_version_hash="xeVl+2Ly1kE=",
    strategy=standard(
        namespaced=True,
        validate=validate_storage_capacity,
        validate_update=validate_storage_capacity_update,
        allow_unconditional_update=False,
    ),
    columns=CSI_STORAGE_CAPACITIES,
    schema="io.k8s.api.storage.v1.CSIStorageCapacity",
)
