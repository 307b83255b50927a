from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="Role",
    plural="roles",
    singular="role",
    namespaced=True,
    storage_version_hash="7FuwZcIIItM=",
    schema="io.k8s.api.rbac.v1.Role",
)
