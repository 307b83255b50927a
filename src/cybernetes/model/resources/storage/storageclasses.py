from cybernetes.model.printing.cluster import STORAGE_CLASSES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    plural="storageclasses",
    singular="storageclass",
    namespaced=False,
    short_names=("sc",),
    storage_version_hash="K+m6uJwbjGY=",
    strategy=standard(namespaced=False, returns_deleted_object=True),
    columns=STORAGE_CLASSES,
    schema="io.k8s.api.storage.v1.StorageClass",
)
