"""Which API resource a call is about; the few that components of ours use, by name."""

from __future__ import annotations

import msgspec


class Target(msgspec.Struct, frozen=True):
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, of an object, or of its subresource."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [each for each in (name, subresource) if each]
        return "/".join(parts)


PODS = Target("", "v1", "pods", "Pod")
NODES = Target("", "v1", "nodes", "Node", namespaced=False)
NAMESPACES = Target("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICES = Target("", "v1", "services", "Service")
ENDPOINTS = Target("", "v1", "endpoints", "Endpoints")
ENDPOINT_SLICES = Target("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
CONFIG_MAPS = Target("", "v1", "configmaps", "ConfigMap")
SECRETS = Target("", "v1", "secrets", "Secret")
SERVICE_ACCOUNTS = Target("", "v1", "serviceaccounts", "ServiceAccount")
EVENTS = Target("", "v1", "events", "Event")
LEASES = Target("coordination.k8s.io", "v1", "leases", "Lease")
DEPLOYMENTS = Target("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = Target("apps", "v1", "replicasets", "ReplicaSet")
STATEFUL_SETS = Target("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SETS = Target("apps", "v1", "daemonsets", "DaemonSet")
CONTROLLER_REVISIONS = Target("apps", "v1", "controllerrevisions", "ControllerRevision")
REPLICATION_CONTROLLERS = Target("", "v1", "replicationcontrollers", "ReplicationController")
RESOURCE_QUOTAS = Target("", "v1", "resourcequotas", "ResourceQuota")
JOBS = Target("batch", "v1", "jobs", "Job")
CRON_JOBS = Target("batch", "v1", "cronjobs", "CronJob")
POD_DISRUPTION_BUDGETS = Target("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
CLUSTER_ROLES = Target("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
CERTIFICATE_SIGNING_REQUESTS = Target(
    "certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", namespaced=False
)
CLUSTER_TRUST_BUNDLES = Target(
    "certificates.k8s.io", "v1", "clustertrustbundles", "ClusterTrustBundle", namespaced=False
)
PERSISTENT_VOLUMES = Target("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
PERSISTENT_VOLUME_CLAIMS = Target("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
STORAGE_CLASSES = Target("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)
NETWORK_POLICIES = Target("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
HORIZONTAL_POD_AUTOSCALERS = Target("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
PRIORITY_CLASSES = Target("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
SERVICE_CIDRS = Target("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", namespaced=False)
RESOURCE_CLAIMS = Target("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim")
CSI_NODES = Target("storage.k8s.io", "v1", "csinodes", "CSINode", namespaced=False)
