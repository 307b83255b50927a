from cybernetes.model.printing.cluster import RUNTIME_CLASSES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.classes import validate_runtime_class, validate_runtime_class_update

RESOURCE = Resource(
    group="node.k8s.io",
    version="v1",
    kind="RuntimeClass",
    plural="runtimeclasses",
    singular="runtimeclass",
    namespaced=False,
    storage_version_hash="WQTu1GL3T2Q=",
    strategy=standard(
        namespaced=False,
        meta_checks_on_update=2,
        validate=validate_runtime_class,
        validate_update=validate_runtime_class_update,
        allow_create_on_update=True,
        allow_unconditional_update=False,
    ),
    columns=RUNTIME_CLASSES,
    schema="io.k8s.api.node.v1.RuntimeClass",
)
