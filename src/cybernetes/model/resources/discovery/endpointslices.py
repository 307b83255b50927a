from cybernetes.model.printing.network import ENDPOINT_SLICES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.endpoints import validate_endpoint_slice, validate_endpoint_slice_update

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
        validate=validate_endpoint_slice,
        validate_update=validate_endpoint_slice_update,
    ),
    columns=ENDPOINT_SLICES,
    schema="io.k8s.api.discovery.v1.EndpointSlice",
)
