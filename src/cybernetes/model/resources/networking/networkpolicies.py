from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="NetworkPolicy",
    plural="networkpolicies",
    singular="networkpolicy",
    namespaced=True,
    short_names=("netpol",),
    storage_version_hash="YpfwF18m1G8=",
    schema="io.k8s.api.networking.v1.NetworkPolicy",
)
