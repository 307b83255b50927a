from cybernetes.model.printing.core import CONFIG_MAPS
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard

RESOURCE = Resource(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    namespaced=True,
    short_names=("cm",),
    storage_version_hash="qFsyl6wFWjQ=",
    strategy=standard(namespaced=True),
    columns=CONFIG_MAPS,
    schema="io.k8s.api.core.v1.ConfigMap",
)
