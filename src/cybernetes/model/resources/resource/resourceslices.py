from cybernetes.model.printing.cluster import RESOURCE_SLICES
from cybernetes.model.resource import Resource
from cybernetes.model.selectable import paths
from cybernetes.model.strategy import first_generation, next_generation, standard
from cybernetes.model.validation.device_slices import validate_slice, validate_slice_update

RESOURCE = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceSlice",
    plural="resourceslices",
    singular="resourceslice",
    namespaced=False,
    storage_version_hash="KsC072WgaEY=",
    strategy=standard(
        namespaced=False,
        validate=validate_slice,
        validate_update=validate_slice_update,
        prepare_create=(first_generation,),
        prepare_update=(next_generation("spec"),),
        returns_deleted_object=True,
    ),
    fields=paths("spec.nodeName", "spec.driver"),
    columns=RESOURCE_SLICES,
    schema="io.k8s.api.resource.v1.ResourceSlice",
)
