from cybernetes.model.printing.cluster import VOLUME_ATTRIBUTES_CLASSES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.storage import (
    validate_volume_attributes_class,
    validate_volume_attributes_class_update,
)

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttributesClass",
    plural="volumeattributesclasses",
    singular="volumeattributesclass",
    namespaced=False,
    short_names=("vac",),
    storage_version_hash="tIjydgKBC5w=",
    strategy=standard(
        namespaced=False,
        meta_checks_on_update=2,
        validate=validate_volume_attributes_class,
        validate_update=validate_volume_attributes_class_update,
        returns_deleted_object=True,
    ),
    columns=VOLUME_ATTRIBUTES_CLASSES,
    schema="io.k8s.api.storage.v1.VolumeAttributesClass",
)
