"""Objects that a whole cluster has and an API server alone has not; applied again at every `up`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cybernetes.client.api import ApiClient
from cybernetes.client.target import Target

MANAGER = "cybernetes"
_MANIFESTS = Path(__file__).parent / "manifests"
_RBAC = "rbac.authorization.k8s.io"
_TARGETS = {
    "ClusterRoleBinding": Target(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    "Role": Target(_RBAC, "v1", "roles", "Role"),
    "RoleBinding": Target(_RBAC, "v1", "rolebindings", "RoleBinding"),
}


def objects() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted(_MANIFESTS.glob("*.yaml")):
        found += [each for each in yaml.safe_load_all(path.read_text()) if each]
    return found


async def apply_all(client: ApiClient) -> None:
    """Server-side apply of all of them. Raises ApiError, EdgeError."""
    for each in objects():
        await client.apply(_TARGETS[each["kind"]], each, field_manager=MANAGER)
