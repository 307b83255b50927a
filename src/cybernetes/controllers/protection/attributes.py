"""Follows classes of volume attributes, and the claims and volumes that name them.

source  KEP-3751, "Protection finalizer"
"""

from __future__ import annotations

from cybernetes.client.target import Target
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.protection.finalizers import Protected, protect
from cybernetes.controllers.volumebinding.objects import Claim, Volume

FINALIZER = "kubernetes.io/vac-protection"
CLASSES = Target("storage.k8s.io", "v1", "volumeattributesclasses", "VolumeAttributesClass", namespaced=False)


class AttributesClassProtection:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._classes = edges.informers.make(CLASSES, decoder(Protected))
        self._claims = edges.informers.claims.index(_of_claim)
        self._volumes = edges.informers.volumes.index(_of_volume)
        self._queue = edges.queue()
        self._classes.on_change(lambda key, old, new: self._queue.add(key))
        edges.informers.claims.on_change(lambda key, old, new: self._add(_of_claim(old) if old else []))
        edges.informers.volumes.on_change(lambda key, old, new: self._add(_of_volume(old) if old else []))

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("vac-protection", self._queue, self.sync)

    def _add(self, names: list[str]) -> None:
        """What named them before may have been the last to do so."""
        for name in names:
            if name in self._classes.items:
                self._queue.add(name)

    async def sync(self, key: str) -> float | None:
        found = self._classes.items.get(key)
        if found is not None:
            await protect(self._edges, CLASSES, found, FINALIZER, lambda: self._is_named(key))
        return None

    def _is_named(self, key: str) -> bool:
        return bool(self._claims.get(key) or self._volumes.get(key))


def _of_claim(claim: Claim) -> list[str]:
    """Names of the classes that the claim asks for, has, or is on the way to."""
    status = claim.status
    change = status.modify_volume_status
    named = {
        claim.spec.volume_attributes_class_name,
        status.current_volume_attributes_class_name,
        change.target_volume_attributes_class_name if change else None,
    }
    return sorted(each for each in named if each)


def _of_volume(volume: Volume) -> list[str]:
    name = volume.spec.volume_attributes_class_name
    return [name] if name else []
