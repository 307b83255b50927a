"""How many pods the controllers of some pods want."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cybernetes.base.errors import ApiError
from cybernetes.client.api import is_reason
from cybernetes.client.informer import key_of
from cybernetes.controllers.discovery import Kinds
from cybernetes.controllers.loop import Edges
from cybernetes.controllers.objects import OwnerReference, Pod


class Unscalable(Exception):
    """Nobody can tell how many pods there should be."""


class Scale(msgspec.Struct, frozen=True):
    """unmanaged: pods that nobody would replace."""

    wanted: int
    unmanaged: list[str]


class Scales:
    """Deployments and ReplicaSets are known here; anything else is asked for its scale."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._kinds = Kinds(edges.client)

    async def of(self, pods: Sequence[Pod]) -> Scale:
        """Raises ApiError, EdgeError when a controller can't be asked; Unscalable when it is gone or has no scale."""
        owners: dict[str, tuple[Pod, OwnerReference]] = {}
        unmanaged = []
        for pod in pods:
            owner = pod.metadata.controller
            if owner is None:
                unmanaged.append(pod.metadata.name)
            else:
                owners.setdefault(owner.uid, (pod, owner))
        wanted: dict[str, int] = {}
        for pod, owner in owners.values():
            found = await self._one(pod.metadata.namespace, owner)
            if found is None:
                raise Unscalable(f'found no controllers for pod "{pod.metadata.name}"')
            uid, replicas = found
            wanted[uid] = replicas
        return Scale(sum(wanted.values()), unmanaged)

    async def _one(self, namespace: str, owner: OwnerReference) -> tuple[str, int] | None:
        """(uid, replicas) of the controller, or of the Deployment above it; None when it is gone."""
        informers = self._edges.informers
        if owner.kind == "ReplicaSet":
            replica_set = informers.replica_sets.items.get(key_of(namespace, owner.name))
            if replica_set is not None and replica_set.metadata.uid == owner.uid:
                above = replica_set.metadata.controller
                deployment = informers.deployments.items.get(key_of(namespace, above.name)) if above else None
                if above is not None and deployment is not None and deployment.metadata.uid == above.uid:
                    return above.uid, deployment.spec.replicas
                return owner.uid, replica_set.spec.replicas
        found = await self._kinds.found(owner.api_version, owner.kind)
        target = found.target
        if "scale" not in found.subresources:
            resource = f"{target.plural}.{target.group}" if target.group else target.plural
            raise Unscalable(f"{resource} does not implement the scale subresource")
        try:
            scale = await self._edges.client.get(target, owner.name, namespace=namespace, subresource="scale")
        except ApiError as error:
            if is_reason(error, "NotFound"):
                return None
            raise
        return owner.uid, int((scale.get("spec") or {}).get("replicas") or 0)
