"""Carries decisions out, many at a time: bindings, words for pods that fit nowhere, evictions.

enters   Placed and Failed, in the order of the decisions
leaves   requests to the API server; on failure the pod back in the queue
fails    a refused or lost binding -> the pod leaves its node and is tried again after a backoff
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.api import ApiClient, is_reason
from cybernetes.scheduler.announce import Announcer
from cybernetes.scheduler.bind import (
    SCHEDULER_ERROR,
    bind,
    bind_failure,
    bind_many,
    evict,
    failure_status,
    patch_status,
)
from cybernetes.scheduler.devices.filters import NO_GRANT, Grant
from cybernetes.scheduler.devices.state import Devices
from cybernetes.scheduler.devices.write import ClaimsNotWritten, release_devices, take_back, write_claims
from cybernetes.scheduler.extenders import Extender, ExtenderFailed
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.queue import Waiting
from cybernetes.scheduler.state import ClusterState
from cybernetes.scheduler.storage.choose import Choices
from cybernetes.scheduler.storage.state import Storage
from cybernetes.scheduler.storage.write import VolumesNotReady, bind_volumes, release
from cybernetes.scheduler.victims import Candidate

# Requests in flight: enough to hide their time, few enough to leave the API server to others.
WORKERS = 32
# Decisions that wait to be carried out; deciding pauses at the limit.
WAITING_MAX = 1024
# Bindings of one request, and such requests in flight: while one is on its way the next is filled.
BINDINGS_MAX = 128
BINDERS = 2
# Victims of one pod that are evicted at once.
EVICTIONS_MAX = 16

# Answers of servers and roles that know only `pods/binding`.
NO_BULK = (403, 404, 405)
NO_VOLUMES = Choices()

_log = Log("scheduler")


class Placed(msgspec.Struct, gc=False):
    """A pod that was given a node and is counted there. binder: an extender that binds it instead of us."""

    waiting: Waiting
    pod: PodEntry
    node_name: str
    volumes: Choices = Choices()
    devices: Grant = NO_GRANT
    binder: Extender | None = None

    @property
    def is_plain(self) -> bool:
        """Whether one binding is all that has to be written."""
        return self.volumes == NO_VOLUMES and not self.devices and self.binder is None


class Failed(msgspec.Struct, gc=False):
    """A failed attempt to tell about, and what to preempt for it.

    nominated   the node that was freed for the pod; "" takes a nomination back, None leaves it
    """

    waiting: Waiting
    reason: str
    message: str
    nominated: str | None = None
    candidate: Candidate | None = None


class Carrier:
    """pods: as the API server has them; woken: called when there may be something to decide again."""

    def __init__(
        self,
        client: ApiClient,
        clock: Clock,
        announcer: Announcer,
        *,
        state: ClusterState,
        storage: Storage,
        devices: Devices,
        pods: Mapping[str, PodEntry],
        woken: Callable[[], None],
    ) -> None:
        self._client = client
        self._clock = clock
        self._announcer = announcer
        self._state = state
        self._storage = storage
        self._devices = devices
        self._pods = pods
        self._woken = woken
        self._work: asyncio.Queue[Placed | Failed] = asyncio.Queue(WAITING_MAX)
        self._bindings: asyncio.Queue[Placed] = asyncio.Queue(WAITING_MAX)
        self._in_bulk = True
        self._full = False

    def start(self, group: asyncio.TaskGroup) -> None:
        for n in range(WORKERS):
            group.create_task(self._run(group), name=f"scheduler.worker-{n}")
        for n in range(BINDERS):
            group.create_task(self._bind_for_ever(), name=f"scheduler.binder-{n}")

    def has_room(self, count: int) -> bool:
        """Whether so many more decisions may be handed over; if not, `woken` is called when there is room again."""
        self._full = max(self._work.qsize(), self._bindings.qsize()) + count > WAITING_MAX
        return not self._full

    @property
    def has_backlog(self) -> bool:
        """Whether more bindings wait than the next request takes."""
        return self._bindings.qsize() >= BINDINGS_MAX

    def put(self, work: Placed | Failed) -> None:
        if isinstance(work, Placed) and work.is_plain:
            self._bindings.put_nowait(work)
        else:
            self._work.put_nowait(work)

    async def _run(self, group: asyncio.TaskGroup) -> None:
        while True:
            work = await self._work.get()
            self._say_room()
            if isinstance(work, Failed):
                await self._tell(work)
            else:
                # May wait for an extender, or for a provisioner for minutes, which must not keep a worker.
                group.create_task(self._prepare_and_bind(work), name=f"scheduler.prepare.{work.pod.key}")

    def _say_room(self) -> None:
        if self._full and max(self._work.qsize(), self._bindings.qsize()) < WAITING_MAX // 2:
            self._full = False
            self._woken()

    async def _bind_for_ever(self) -> None:
        while True:
            taken = [await self._bindings.get()]
            while len(taken) < BINDINGS_MAX and not self._bindings.empty():
                taken.append(self._bindings.get_nowait())
            self._say_room()
            if len(taken) == 1 or not self._in_bulk:
                await self._bind_singly(taken)
            else:
                await self._bind_together(taken)

    async def _bind_together(self, taken: Sequence[Placed]) -> None:
        try:
            errors = await bind_many(self._client, [(each.pod, each.node_name) for each in taken])
        except (ApiError, EdgeError) as error:
            if isinstance(error, ApiError) and error.code in NO_BULK:
                # An API server that is not ours, or a role that only lets us bind pod by pod.
                self._in_bulk = False
                await self._bind_singly(taken)
                return
            for each in taken:
                await self._unbind(each, bind_failure(error))
            return
        for each, wrong in zip(taken, errors, strict=True):
            if wrong is None:
                self._announcer.scheduled(each.pod, each.node_name)
            else:
                await self._unbind(each, bind_failure(wrong))

    async def _bind_singly(self, taken: Sequence[Placed]) -> None:
        """Each in a request of its own, as many at once as share the API server well."""
        for at in range(0, len(taken), WORKERS // BINDERS):
            await asyncio.gather(*map(self._bind, taken[at : at + WORKERS // BINDERS]))

    async def _bind(self, placed: Placed) -> bool:
        try:
            if placed.binder is not None:
                await placed.binder.bind(placed.pod, placed.node_name)
            else:
                await bind(self._client, placed.pod, placed.node_name)
        except (ApiError, EdgeError, ExtenderFailed) as error:
            await self._unbind(placed, bind_failure(error))
            return False
        self._announcer.scheduled(placed.pod, placed.node_name)
        return True

    async def _prepare_and_bind(self, placed: Placed) -> None:
        """Volumes, then devices, then the binding."""
        try:
            done = await self._bind_volumes(placed) and await self._write_claims(placed) and await self._bind(placed)
        finally:
            release(self._storage, placed.volumes)
            release_devices(self._devices, placed.devices)
        if not done and placed.devices:
            await take_back(self._client, self._devices, placed.pod, placed.devices)

    async def _write_claims(self, placed: Placed) -> bool:
        try:
            await write_claims(self._client, placed.pod, placed.devices)
        except (ApiError, EdgeError, ClaimsNotWritten) as error:
            await self._unbind(placed, f'running PreBind plugin "DynamicResources": {error}')
            return False
        return True

    async def _bind_volumes(self, placed: Placed) -> bool:
        if placed.volumes == NO_VOLUMES:
            return True
        try:
            # Others see where the pod will go while it waits; the API server takes this back when it is bound.
            if placed.pod.nominated != placed.node_name:
                expected = {"status": {"nominatedNodeName": placed.node_name}}
                await patch_status(self._client, placed.pod, expected)
            await bind_volumes(self._client, self._clock, self._storage, placed.volumes, placed.node_name)
        except (ApiError, EdgeError, VolumesNotReady) as error:
            await self._unbind(placed, f'running PreBind plugin "VolumeBinding": {error}')
            return False
        return True

    async def _unbind(self, placed: Placed, why: str) -> None:
        """Take the pod off its node again and let it be tried again."""
        pod = placed.pod
        _log.info("pod.not_bound", pod=pod.key, node=placed.node_name, why=why)
        if not self._state.forget_assumed(pod):
            # The watch told more than the answer: the pod is bound after all, or gone.
            return
        self._woken()
        current = self._pods.get(pod.key)
        if current is None or current.node_name or current.uid != pod.uid:
            return
        placed.waiting.pod = current
        self._state.queue.put_back_failed(placed.waiting, self._clock.monotonic())
        await self._tell(Failed(placed.waiting, SCHEDULER_ERROR, why))

    async def _tell(self, failed: Failed) -> None:
        """Victims go before the pod's status says so: who reads of a nomination finds them leaving."""
        pod = failed.waiting.pod
        self._announcer.failed(pod, failed.message)
        evicted = failed.candidate is not None and await self._preempt(pod, failed.candidate)
        patch = failure_status(pod, failed.reason, failed.message, failed.nominated, self._clock.now())
        if patch is not None and not self._state.is_assumed(pod.key):
            try:
                await patch_status(self._client, pod, patch)
            except (ApiError, EdgeError) as error:
                if not is_reason(error, "NotFound"):
                    _log.warning("pod.status_not_written", pod=pod.key, why=str(error))
        if failed.candidate is not None:
            self._let_try_again(pod, failed.candidate, evicted)

    async def _preempt(self, pod: PodEntry, candidate: Candidate) -> bool:
        """Evict the victims; whether that worked."""
        try:
            await self._take_back_nominations(pod, candidate.node)
            await self._evict_all(candidate, pod)
        except (ApiError, EdgeError) as error:
            _log.warning("pod.preemption_failed", pod=pod.key, node=candidate.node, why=str(error))
            return False
        return True

    def _let_try_again(self, pod: PodEntry, candidate: Candidate, evicted: bool) -> None:
        """When the victims are gone. Until now nothing could move the pod, so that no status comes after its binding."""
        queue = self._state.queue
        # If the victims went meanwhile, no event of theirs will move it any more.
        if evicted and any(map(self._state.is_leaving, candidate.victims)):
            queue.unhold(pod.key)
        else:
            queue.release(pod.key, self._clock.monotonic())
        self._woken()

    async def _take_back_nominations(self, pod: PodEntry, node_name: str) -> None:
        """Less important pods that were to get the node must look again."""
        for other in self._state.nominations.on(node_name):
            if other.priority < pod.priority:
                self._state.nominations.remove(other.key)
                await patch_status(self._client, other, {"status": {"nominatedNodeName": None}})

    async def _evict_all(self, candidate: Candidate, by: PodEntry) -> None:
        """Many at a time: what a pod waits for is the slowest of its victims, not their sum. Raises the first failure."""
        for at in range(0, len(candidate.victims), EVICTIONS_MAX):
            some = candidate.victims[at : at + EVICTIONS_MAX]
            results = await asyncio.gather(
                *(self._evict(each, by, candidate.node) for each in some), return_exceptions=True
            )
            for failed in results:
                if failed is not None:
                    raise failed

    async def _evict(self, victim: PodEntry, by: PodEntry, node_name: str) -> None:
        done = await evict(self._client, self._clock, victim, by.shape.spec.scheduler_name)
        if done:
            self._state.note_evicted(victim)
            self._announcer.preempted(victim, by, node_name)
