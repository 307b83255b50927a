from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.names import path_segment
from cybernetes.model.validation.rbac import validate_cluster_role

RESOURCE = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    singular="clusterrole",
    namespaced=False,
    storage_version_hash="bYE5ZWDrJ44=",
    strategy=standard(
        namespaced=False,
        meta_checks_on_update=2,
        name_rule=path_segment,
        validate=validate_cluster_role,
        allow_create_on_update=True,
    ),
    schema="io.k8s.api.rbac.v1.ClusterRole",
)
