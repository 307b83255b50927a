from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="ServiceCIDR",
    plural="servicecidrs",
    singular="servicecidr",
    namespaced=False,
    subresources=(Subresource(name="status", kind="ServiceCIDR", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="gNLvruQhW2g=",
    schema="io.k8s.api.networking.v1.ServiceCIDR",
)
