from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    plural="storageclasses",
    singular="storageclass",
    namespaced=False,
    short_names=("sc",),
    storage_version_hash="K+m6uJwbjGY=",
    schema="io.k8s.api.storage.v1.StorageClass",
)
