from cybernetes.model.printing.core import ENDPOINTS
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.endpoints import validate_endpoints
from cybernetes.model.warnings.endpoints import of_endpoints

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    singular="endpoints",
    namespaced=True,
    short_names=("ep",),
    deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    storage_version_hash="fWeeMqaN/OA=",
    strategy=standard(
        namespaced=True,
        warnings=of_endpoints,
        meta_checks_on_update=2,
        validate=validate_endpoints,
        allow_create_on_update=True,
    ),
    columns=ENDPOINTS,
    schema="io.k8s.api.core.v1.Endpoints",
)
