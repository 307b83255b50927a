from cybernetes.model.printing.cluster import CLUSTER_TRUST_BUNDLES
from cybernetes.model.resource import Resource
from cybernetes.model.selectable import paths
from cybernetes.model.strategy import standard
from cybernetes.model.validation.names import path_segment
from cybernetes.model.validation.pod_certificates import validate_bundle, validate_bundle_update

RESOURCE = Resource(
    group="certificates.k8s.io",
    version="v1",
    kind="ClusterTrustBundle",
    plural="clustertrustbundles",
    singular="clustertrustbundle",
    namespaced=False,
    storage_version_hash="R/wbJqMRFu8=",
    strategy=standard(
        namespaced=False,
        name_rule=path_segment,
        validate=validate_bundle,
        validate_update=validate_bundle_update,
        allow_unconditional_update=False,
    ),
    fields=paths("spec.signerName"),
    columns=CLUSTER_TRUST_BUNDLES,
    schema="io.k8s.api.certificates.v1.ClusterTrustBundle",
)
