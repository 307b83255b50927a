from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    singular="clusterrolebinding",
    namespaced=False,
    storage_version_hash="48tpQ8gZHFc=",
    schema="io.k8s.api.rbac.v1.ClusterRoleBinding",
)
