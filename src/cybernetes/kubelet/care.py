"""Periodic care of the node: pressure and eviction, log rotation, image collection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.kubelet import eviction, image_gc, pods, rotation
from cybernetes.kubelet.eviction import Pressures, Signal, limits_storage
from cybernetes.kubelet.image_gc import ImageCollector
from cybernetes.kubelet.pods import Object, default_tag
from cybernetes.kubelet.runtime.api import Stats
from cybernetes.kubelet.tools import Tools
from cybernetes.kubelet.verdict import Verdict
from cybernetes.kubelet.volumes.layout import image_volumes, limited_volumes, volumes_on_disk
from cybernetes.kubelet.worker import PodWorker

_log = Log("kubelet")


class Care:
    """workers: pod uid -> worker, as it is now."""

    def __init__(self, tools: Tools, workers: Mapping[str, PodWorker]) -> None:
        self._tools = tools
        self._workers = workers
        self._images = ImageCollector(tools)
        self.pressures = Pressures()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(eviction.EVERY_S, self._watch_pressure), name="care.pressure")
            group.create_task(self._repeat(rotation.EVERY_S, self._rotate), name="care.logs")
            group.create_task(self._repeat(image_gc.EVERY_S, self._collect_images), name="care.images")

    async def _repeat(self, every_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._tools.clock.sleep(every_s)
            try:
                await work()
            except (EdgeError, OSError) as error:
                _log.warning("care.failed", why=str(error))

    async def _rotate(self) -> None:
        running = [each for worker in self._workers.values() for each in worker.observed.running()]
        await rotation.rotate(self._tools, running)

    async def _collect_images(self) -> None:
        await self._images.collect(self._images_in_use())

    def _images_in_use(self) -> set[str]:
        every = (each for worker in self._workers.values() for each in worker.observed.containers)
        used = {name for each in every for name in (each.image_ref, each.image_id) if name}
        volumes = (each for worker in self._workers.values() for each in image_volumes(worker.pod))
        return used | {default_tag(each["image"].get("reference", "")) for each in volumes}

    async def _watch_pressure(self) -> None:
        tools = self._tools
        signals = eviction.crossed(tools.host.usage(), tools.config.eviction_hard)
        self.pressures.update(signals, tools.clock.monotonic())
        await self._check_sizes()
        if signals and not await self._reclaim(signals[0]):
            await self._evict(signals[0])

    async def _reclaim(self, signal: Signal) -> bool:
        """Free disk without ending pods; whether that was enough."""
        if signal.condition != "DiskPressure":
            return False
        await self._images.collect(self._images_in_use(), all_unused=True)
        usage = self._tools.host.usage()
        return not any(each.name == signal.name for each in eviction.crossed(usage, self._tools.config.eviction_hard))

    async def _evict(self, signal: Signal) -> None:
        """End one pod: the next look tells whether that was enough."""
        active = {pods.uid(each.pod): each for each in self._workers.values() if each.active}
        stats = await self._tools.runtime.stats()
        found = eviction.candidates([each.pod for each in active.values()], stats, signal.resource)
        ranked = eviction.rank(found)
        if not ranked:
            return
        first = ranked[0]
        verdict = eviction.verdict(first, signal)
        self._tools.say(first.pod, "", "Warning", "Evicted", verdict.message)
        active[pods.uid(first.pod)].condemn(verdict)

    async def _check_sizes(self) -> None:
        """End pods whose volumes, layers or logs have outgrown their limits."""
        workers = [each for each in self._workers.values() if each.active]
        stats = await self._tools.runtime.stats() if any(limits_storage(each.pod) for each in workers) else []
        for worker in workers:
            limited = limited_volumes(worker.pod)
            if not limited and not limits_storage(worker.pod):
                continue
            why = await self._why_too_large(worker, limited, stats)
            if why:
                self._tools.say(worker.pod, "", "Warning", "Evicted", why)
                worker.condemn(Verdict("Failed", "Evicted", why, grace_s=1, disruption=why))

    async def _why_too_large(self, worker: PodWorker, limited: list[Object], stats: list[Stats]) -> str:
        pod, host = worker.pod, self._tools.host
        sizes = await host.volume_sizes(pods.uid(pod), limited)
        why = eviction.over_size_limit(pod, sizes)
        if why or not limits_storage(pod):
            return why
        used = {row.name: row.filesystem_bytes for row in stats if row.uid == pods.uid(pod)}
        for each in worker.observed.running():
            used[each.name] = used.get(each.name, 0) + await host.folder_size(str(Path(each.log_path).parent))
        everything = await host.volume_sizes(pods.uid(pod), volumes_on_disk(pod))
        return eviction.over_storage_limit(pod, used, sum(everything.values()))
