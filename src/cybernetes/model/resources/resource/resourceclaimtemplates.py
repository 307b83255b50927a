from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaimTemplate",
    plural="resourceclaimtemplates",
    singular="resourceclaimtemplate",
    namespaced=True,
    storage_version_hash="TuzjC49aUfM=",
    schema="io.k8s.api.resource.v1.ResourceClaimTemplate",
)
