from cybernetes.model.printing.network import INGRESS_CLASSES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import first_generation, next_generation, standard
from cybernetes.model.validation.networking import validate_ingress_class, validate_ingress_class_update

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    plural="ingressclasses",
    singular="ingressclass",
    namespaced=False,
    storage_version_hash="l/iqIbDgFyQ=",
    strategy=standard(
        namespaced=False,
        meta_checks_on_update=2,
        validate=validate_ingress_class,
        validate_update=validate_ingress_class_update,
        prepare_create=(first_generation,),
        prepare_update=(next_generation("spec"),),
    ),
    columns=INGRESS_CLASSES,
    schema="io.k8s.api.networking.v1.IngressClass",
)
