from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    singular="lease",
    namespaced=True,
    storage_version_hash="gqkMMb/YqFM=",
    schema="io.k8s.api.coordination.v1.Lease",
)
