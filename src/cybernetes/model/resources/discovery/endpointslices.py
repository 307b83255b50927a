from cybernetes.model.printing.network import ENDPOINT_SLICES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard

RESOURCE = Resource(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    singular="endpointslice",
    namespaced=True,
    storage_version_hash="qgS0xkrxYAI=",
    strategy=standard(namespaced=True),
    columns=ENDPOINT_SLICES,
    schema="io.k8s.api.discovery.v1.EndpointSlice",
)
