from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIStorageCapacity",
    plural="csistoragecapacities",
    singular="csistoragecapacity",
    namespaced=True,
    storage_version_hash="xeVl+2Ly1kE=",
    schema="io.k8s.api.storage.v1.CSIStorageCapacity",
)
