from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceSlice",
    plural="resourceslices",
    singular="resourceslice",
    namespaced=False,
    storage_version_hash="KsC072WgaEY=",
    schema="io.k8s.api.resource.v1.ResourceSlice",
)
