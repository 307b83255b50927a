from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    singular="secret",
    namespaced=True,
    storage_version_hash="S6u1pOWzb84=",
    schema="io.k8s.api.core.v1.Secret",
)
