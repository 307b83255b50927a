from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    singular="clusterrole",
    namespaced=False,
    storage_version_hash="bYE5ZWDrJ44=",
    schema="io.k8s.api.rbac.v1.ClusterRole",
)
