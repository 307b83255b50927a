from cybernetes.model.resource import GET_PATCH_UPDATE, Resource, Subresource

RESOURCE = Resource(
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    plural="apiservices",
    singular="apiservice",
    namespaced=False,
    categories=("api-extensions",),
    subresources=(Subresource(name="status", kind="APIService", verbs=GET_PATCH_UPDATE),),
    storage_version_hash="InPBPD7+PqM=",
    schema="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
)
