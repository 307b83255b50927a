from cybernetes.model.printing.network import NETWORK_POLICIES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import first_generation, next_generation, standard
from cybernetes.model.validation.networking import validate_network_policy
from cybernetes.model.warnings.networkpolicies import of_network_policy

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    singular="networkpolicy",
    namespaced=True,
    short_names=("netpol",),
    storage_version_hash="YpfwF18m1G8=",
    strategy=standard(
        namespaced=True,
        warnings=of_network_policy,
        validate=validate_network_policy,
        prepare_create=(first_generation,),
        prepare_update=(next_generation("spec"),),
    ),
    columns=NETWORK_POLICIES,
    schema="io.k8s.api.networking.v1.NetworkPolicy",
)
