from cybernetes.model.printing.network import SERVICE_CIDRS
from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource
from cybernetes.model.strategy import empty_status, keep, standard, status_of
from cybernetes.model.validation.networking import validate_service_cidr, validate_service_cidr_update

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="ServiceCIDR",
    plural="servicecidrs",
    singular="servicecidr",
    namespaced=False,
    subresources=(
        Subresource(
            name="status", kind="ServiceCIDR", verbs=GET_PATCH_UPDATE, strategy=status_of(reset_fields=(("spec",),))
        ),
    ),
    storage_version_hash="gNLvruQhW2g=",
    strategy=standard(
        namespaced=False,
        validate=validate_service_cidr,
        validate_update=validate_service_cidr_update,
        prepare_create=(empty_status,),
        prepare_update=(keep("status"),),
        reset_fields=(("status",),),
    ),
    columns=SERVICE_CIDRS,
    schema="io.k8s.api.networking.v1.ServiceCIDR",
)
