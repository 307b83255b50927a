"""The rights of administrators: of a binding, so that they can be taken away, unlike those of system:masters.

source  kubeadm, "Creating kubeconfig files for control plane components": admin.conf and super-admin.conf
"""

from __future__ import annotations

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.client.api import is_reason
from cybernetes.client.kubeconfig import connect
from cybernetes.client.target import Target
from cybernetes.run import files
from cybernetes.run.layout import Layout

GROUP = "cybernetes:cluster-admins"
_RBAC = "rbac.authorization.k8s.io"
_BINDINGS = Target(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)


async def bind(layout: Layout) -> None:
    """Make the binding where there is none; one that was changed stays as it is."""
    client = connect(files.super_admin_kubeconfig(layout), user_agent="cybernetes-up", clock=SystemClock())
    binding = {
        "metadata": {"name": GROUP},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": GROUP}],
    }
    try:
        await client.create(_BINDINGS, binding)
    except ApiError as refusal:
        if not is_reason(refusal, "AlreadyExists"):
            raise
    finally:
        await client.close()
