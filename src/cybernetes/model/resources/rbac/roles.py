from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.names import path_segment
from cybernetes.model.validation.rbac import validate_role

RESOURCE = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="Role",
    plural="roles",
    singular="role",
    namespaced=True,
    storage_version_hash="7FuwZcIIItM=",
    strategy=standard(
        namespaced=True,
        meta_checks_on_update=2,
        name_rule=path_segment,
        validate=validate_role,
        allow_create_on_update=True,
    ),
    schema="io.k8s.api.rbac.v1.Role",
)
