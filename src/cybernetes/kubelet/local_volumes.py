"""Volumes on this node that were made for claims: their folders go when the claims are gone.

source  Kubernetes documentation "Persistent Volumes", reclaiming
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient, if_there
from cybernetes.client.informer import Informer
from cybernetes.client.queue import WorkQueue
from cybernetes.client.reflector import Selection
from cybernetes.client.target import PERSISTENT_VOLUMES
from cybernetes.kubelet.volumes.local import remove_folder
from cybernetes.model.local_volumes import NODE_LABEL, PROVISIONED_BY, PROVISIONER

_log = Log("kubelet")


class _Meta(msgspec.Struct, frozen=True, gc=False):
    name: str
    uid: str = ""
    annotations: dict[str, str] = {}


class _Local(msgspec.Struct, frozen=True, gc=False):
    path: str = ""


class _Spec(msgspec.Struct, rename="camel", frozen=True, gc=False):
    local: _Local = _Local()
    persistent_volume_reclaim_policy: str = "Retain"


class _Status(msgspec.Struct, frozen=True, gc=False):
    phase: str = ""


class Volume(msgspec.Struct, frozen=True, gc=False):
    metadata: _Meta
    spec: _Spec = _Spec()
    status: _Status = _Status()

    @property
    def is_done(self) -> bool:
        ours = self.metadata.annotations.get(PROVISIONED_BY) == PROVISIONER
        return ours and self.status.phase == "Released" and self.spec.persistent_volume_reclaim_policy == "Delete"


class LocalVolumes:
    """folder: what holds the volumes; nothing outside of it is ever touched."""

    def __init__(self, client: ApiClient, clock: Clock, random: Random, node: str, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._queue: WorkQueue[str] = WorkQueue(clock, random)
        self._volumes = Informer(
            client,
            PERSISTENT_VOLUMES,
            msgspec.json.Decoder(Volume).decode,
            clock=clock,
            random=random,
            selection=Selection(labels=f"{NODE_LABEL}={node}"),
        )
        self._volumes.on_change(self._changed)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._volumes.run(), name="localvolumes.volumes")
            group.create_task(self._remove_done(), name="localvolumes.remove")

    def _changed(self, key: str, old: Volume | None, new: Volume | None) -> None:
        if new is not None and new.is_done:
            self._queue.add(key)

    async def _remove_done(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._remove(self._volumes.items.get(key))
            except (ApiError, EdgeError) as error:
                wait_s = self._queue.retry(key)
                _log.warning("localvolume.kept", volume=key, retry_s=round(wait_s, 3), why=str(error))
            else:
                self._queue.forget(key)
            finally:
                self._queue.done(key)

    async def _remove(self, volume: Volume | None) -> None:
        """The folder first: a volume that is gone would leave nobody who knows of it."""
        if volume is None or not volume.is_done:
            return
        path = Path(volume.spec.local.path)
        if path.parent != self._folder or path.name != volume.metadata.name:
            raise EdgeError("remove", str(path), f"it is not in {self._folder}", outcome=Outcome.NOT_DONE)
        await asyncio.to_thread(remove_folder, path)
        with if_there():
            await self._client.delete(PERSISTENT_VOLUMES, volume.metadata.name, uid=volume.metadata.uid)
        _log.info("localvolume.removed", volume=volume.metadata.name)
