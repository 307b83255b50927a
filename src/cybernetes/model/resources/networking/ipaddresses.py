from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IPAddress",
    plural="ipaddresses",
    singular="ipaddress",
    namespaced=False,
    short_names=("ip",),
    storage_version_hash="3f/plJFChNE=",
    schema="io.k8s.api.networking.v1.IPAddress",
)
