"""The rights of administrators: of a binding, so that they can be taken away, unlike those of system:masters.

source  kubeadm, "Creating kubeconfig files for control plane components": admin.conf and super-admin.conf
"""

from __future__ import annotations

from cybernetes.client.target import Target

GROUP = "cybernetes:cluster-admins"
_RBAC = "rbac.authorization.k8s.io"
BINDINGS = Target(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
BINDING = {
    "metadata": {"name": GROUP},
    "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": GROUP}],
}
