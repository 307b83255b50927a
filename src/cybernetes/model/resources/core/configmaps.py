from cybernetes.model.printing.core import CONFIG_MAPS
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.config import validate_config_map, validate_config_map_update

RESOURCE = Resource(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    namespaced=True,
    short_names=("cm",),
    storage_version_hash="qFsyl6wFWjQ=",
    strategy=standard(
        namespaced=True,
        meta_checks_on_update=2,
        validate=validate_config_map,
        validate_update=validate_config_map_update,
    ),
    columns=CONFIG_MAPS,
    schema="io.k8s.api.core.v1.ConfigMap",
)
