from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    namespaced=True,
    short_names=("cm",),
    storage_version_hash="qFsyl6wFWjQ=",
    schema="io.k8s.api.core.v1.ConfigMap",
)
