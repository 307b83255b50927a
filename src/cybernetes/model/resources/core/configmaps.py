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
    schema="io.k8s.api.core.v1.ConfigMap",
)
