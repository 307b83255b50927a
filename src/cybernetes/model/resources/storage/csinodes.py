from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSINode",
    plural="csinodes",
    singular="csinode",
    namespaced=False,
    storage_version_hash="Pe62DkZtjuo=",
    schema="io.k8s.api.storage.v1.CSINode",
)
