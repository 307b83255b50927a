from cybernetes.model.printing.cluster import PRIORITY_CLASSES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import first_generation, standard
from cybernetes.model.validation.classes import validate_priority_class, validate_priority_class_update

RESOURCE = Resource(
    group="scheduling.k8s.io",
    version="v1",
    kind="PriorityClass",
    plural="priorityclasses",
    singular="priorityclass",
    namespaced=False,
    short_names=("pc",),
    storage_version_hash="1QwjyaZjj3Y=",
    strategy=standard(
        namespaced=False,
        validate=validate_priority_class,
        validate_update=validate_priority_class_update,
        prepare_create=(first_generation,),
    ),
    columns=PRIORITY_CLASSES,
    schema="io.k8s.api.scheduling.v1.PriorityClass",
)
