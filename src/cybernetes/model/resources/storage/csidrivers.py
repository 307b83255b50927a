from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSIDriver",
    plural="csidrivers",
    singular="csidriver",
    namespaced=False,
    storage_version_hash="hL6j/rwBV5w=",
    schema="io.k8s.api.storage.v1.CSIDriver",
)
