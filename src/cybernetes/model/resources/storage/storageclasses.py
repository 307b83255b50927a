from cybernetes.model.printing.cluster import STORAGE_CLASSES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.storage import validate_storage_class, validate_storage_class_update

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="StorageClass",
    plural="storageclasses",
    singular="storageclass",
    namespaced=False,
    short_names=("sc",),
    storage_version_hash="K+m6uJwbjGY=",
    strategy=standard(
        namespaced=False,
        meta_checks_on_update=2,
        validate=validate_storage_class,
        validate_update=validate_storage_class_update,
        returns_deleted_object=True,
    ),
    columns=STORAGE_CLASSES,
    schema="io.k8s.api.storage.v1.StorageClass",
)
