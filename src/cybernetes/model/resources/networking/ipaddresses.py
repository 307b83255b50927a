from cybernetes.model.printing.network import IP_ADDRESSES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.networking import ip_address_name, validate_ip_address, validate_ip_address_update

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IPAddress",
    plural="ipaddresses",
    singular="ipaddress",
    namespaced=False,
    short_names=("ip",),
    storage_version_hash="3f/plJFChNE=",
    strategy=standard(
        namespaced=False,
        meta_checks_on_update=2,
        name_rule=ip_address_name,
        validate=validate_ip_address,
        validate_update=validate_ip_address_update,
    ),
    columns=IP_ADDRESSES,
    schema="io.k8s.api.networking.v1.IPAddress",
)
