from cybernetes.model.printing.cluster import CLUSTER_ROLE_BINDINGS
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.names import path_segment
from cybernetes.model.validation.rbac import validate_cluster_role_binding, validate_cluster_role_binding_update

RESOURCE = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    singular="clusterrolebinding",
    namespaced=False,
    storage_version_hash="48tpQ8gZHFc=",
    strategy=standard(
        namespaced=False,
        meta_checks_on_update=2,
        name_rule=path_segment,
        validate=validate_cluster_role_binding,
        validate_update=validate_cluster_role_binding_update,
        allow_create_on_update=True,
    ),
    columns=CLUSTER_ROLE_BINDINGS,
    schema="io.k8s.api.rbac.v1.ClusterRoleBinding",
)
