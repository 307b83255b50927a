from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    singular="limitrange",
    namespaced=True,
    short_names=("limits",),
    storage_version_hash="EBKMFVe6cwo=",
    schema="io.k8s.api.core.v1.LimitRange",
)
