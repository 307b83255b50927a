from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    plural="ingressclasses",
    singular="ingressclass",
    namespaced=False,
    storage_version_hash="l/iqIbDgFyQ=",
    schema="io.k8s.api.networking.v1.IngressClass",
)
