from cybernetes.model.printing.network import ENDPOINT_SLICES
from cybernetes.model.resource import Object, Resource, WriteContext
from cybernetes.model.strategy import first_generation, standard
from cybernetes.model.validation.endpoints import validate_endpoint_slice, validate_endpoint_slice_update
from cybernetes.model.warnings.endpoints import of_endpoint_slice


def _next_generation(obj: Object, old: Object, ctx: WriteContext) -> None:
    """Counts changes of the labels, by which services are found, and of everything outside of metadata."""
    rest = [{name: value for name, value in each.items() if name != "metadata"} for each in (obj, old)]
    labels = [each["metadata"].get("labels") for each in (obj, old)]
    changed = rest[0] != rest[1] or labels[0] != labels[1]
    obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + changed


RESOURCE = Resource(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    singular="endpointslice",
    namespaced=True,
    storage_version_hash="qgS0xkrxYAI=",
    strategy=standard(
        namespaced=True,
        warnings=of_endpoint_slice,
        validate=validate_endpoint_slice,
        validate_update=validate_endpoint_slice_update,
        prepare_create=(first_generation,),
        prepare_update=(_next_generation,),
    ),
    columns=ENDPOINT_SLICES,
    schema="io.k8s.api.discovery.v1.EndpointSlice",
)
