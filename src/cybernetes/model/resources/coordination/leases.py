from cybernetes.model.printing.cluster import LEASES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.classes import validate_lease

RESOURCE = Resource(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    singular="lease",
    namespaced=True,
    storage_version_hash="gqkMMb/YqFM=",
    strategy=standard(
        namespaced=True, validate=validate_lease, allow_create_on_update=True, allow_unconditional_update=False
    ),
    columns=LEASES,
    schema="io.k8s.api.coordination.v1.Lease",
)
