from cybernetes.model.printing.cluster import VOLUME_ATTRIBUTES_CLASSES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttributesClass",
    plural="volumeattributesclasses",
    singular="volumeattributesclass",
    namespaced=False,
    short_names=("vac",),
    storage_version_hash="tIjydgKBC5w=",
    strategy=standard(namespaced=False, returns_deleted_object=True),
    columns=VOLUME_ATTRIBUTES_CLASSES,
    schema="io.k8s.api.storage.v1.VolumeAttributesClass",
)
