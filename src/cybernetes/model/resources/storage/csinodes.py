from cybernetes.model.printing.cluster import CSI_NODES
from cybernetes.model.resource import Resource
from cybernetes.model.strategy import standard
from cybernetes.model.validation.storage import validate_csi_node, validate_csi_node_update

RESOURCE = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="CSINode",
    plural="csinodes",
    singular="csinode",
    namespaced=False,
    storage_version_hash="Pe62DkZtjuo=",
    strategy=standard(
        namespaced=False,
        validate=validate_csi_node,
        validate_update=validate_csi_node_update,
        allow_unconditional_update=False,
        returns_deleted_object=True,
    ),
    columns=CSI_NODES,
    schema="io.k8s.api.storage.v1.CSINode",
)
