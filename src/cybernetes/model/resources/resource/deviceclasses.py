from cybernetes.model.printing.formats import NAME_AND_AGE
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import first_generation, next_generation, standard
from cybernetes.model.validation.devices import validate_device_class
from cybernetes.model.validation.names import long_name

RESOURCE = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceClass",
    plural="deviceclasses",
    singular="deviceclass",
    namespaced=False,
    storage_version_hash="Yk2PTc1Ybxk=",
    strategy=standard(
        namespaced=False,
        meta_checks_on_update=2,
        name_rule=long_name,
        validate=validate_device_class,
        prepare_create=(first_generation,),
        prepare_update=(next_generation("spec"),),
        returns_deleted_object=True,
    ),
    columns=NAME_AND_AGE,
    schema="io.k8s.api.resource.v1.DeviceClass",
)
