from cybernetes.model.printing.cluster import ROLE_BINDINGS
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.names import path_segment
from cybernetes.model.validation.rbac import validate_role_binding, validate_role_binding_update

RESOURCE = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="RoleBinding",
    plural="rolebindings",
    singular="rolebinding",
    namespaced=True,
    storage_version_hash="eGsCzGH6b1g=",
    strategy=standard(
        namespaced=True,
        meta_checks_on_update=2,
        name_rule=path_segment,
        validate=validate_role_binding,
        validate_update=validate_role_binding_update,
        allow_create_on_update=True,
    ),
    columns=ROLE_BINDINGS,
    schema="io.k8s.api.rbac.v1.RoleBinding",
)
