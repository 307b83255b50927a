from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceClass",
    plural="deviceclasses",
    singular="deviceclass",
    namespaced=False,
    storage_version_hash="Yk2PTc1Ybxk=",
    schema="io.k8s.api.resource.v1.DeviceClass",
)
