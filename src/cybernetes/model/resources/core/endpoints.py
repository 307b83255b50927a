from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    singular="endpoints",
    namespaced=True,
    short_names=("ep",),
    storage_version_hash="fWeeMqaN/OA=",
    schema="io.k8s.api.core.v1.Endpoints",
)
