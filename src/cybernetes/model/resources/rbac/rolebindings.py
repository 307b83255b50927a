from cybernetes.model.resource import Resource

RESOURCE = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="RoleBinding",
    plural="rolebindings",
    singular="rolebinding",
    namespaced=True,
    storage_version_hash="eGsCzGH6b1g=",
    schema="io.k8s.api.rbac.v1.RoleBinding",
)
