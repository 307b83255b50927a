from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttributesClass",
    plural="volumeattributesclasses",
    singular="volumeattributesclass",
    namespaced=False,
    short_names=("vac",),
    storage_version_hash="tIjydgKBC5w=",
    schema="io.k8s.api.storage.v1.VolumeAttributesClass",
)
