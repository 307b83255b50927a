from cybernetes.model.printing.network import INGRESS_CLASSES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import first_generation, next_generation, standard

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    plural="ingressclasses",
    singular="ingressclass",
    namespaced=False,
    storage_version_hash="l/iqIbDgFyQ=",
    strategy=standard(namespaced=False, prepare_create=(first_generation,), prepare_update=(next_generation("spec"),)),
    columns=INGRESS_CLASSES,
    schema="io.k8s.api.networking.v1.IngressClass",
)
