"""Runs the scheduler: informers fill the state, one task decides, many carry decisions out.

enters   an ApiClient
leaves   bindings, pod statuses, events
holds    decisions are made one after the other on a state that contains all earlier ones; nothing waits between
         reading the state and writing the decision into it
fails    a refused or lost binding -> the pod leaves its node and is tried again after a backoff
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random, uid
from cybernetes.client.api import ApiClient, is_reason
from cybernetes.client.informer import Informer
from cybernetes.client.leader import LeaderElector, Terms
from cybernetes.client.target import NAMESPACES, NODES, PODS, Target
from cybernetes.scheduler.announce import Announcer
from cybernetes.scheduler.batch import are_alike, is_plain, place
from cybernetes.scheduler.bind import (
    SCHEDULER_ERROR,
    UNSCHEDULABLE,
    bind,
    bind_failure,
    evict,
    failure_status,
    patch_status,
)
from cybernetes.scheduler.config import Config
from cybernetes.scheduler.cycle import Cycle, Placement, Unschedulable
from cybernetes.scheduler.hints import Kind
from cybernetes.scheduler.objects import (
    BudgetObject,
    MapSelectorObject,
    NamespaceObject,
    NodeObject,
    PodObject,
    SelectorObject,
)
from cybernetes.scheduler.owners import OWNERS, Owners
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.preempt import Budget, Candidate, Refusal, preempt
from cybernetes.scheduler.queue import SchedulingQueue, Waiting
from cybernetes.scheduler.reasons import failure_text
from cybernetes.scheduler.selectors import compile_selector
from cybernetes.scheduler.state import ClusterState
from cybernetes.scheduler.storage.choose import Choices
from cybernetes.scheduler.storage.filters import VolumeFilter
from cybernetes.scheduler.storage.state import CLAIMS, KINDS, Storage
from cybernetes.scheduler.storage.write import VolumesNotReady, bind_volumes, promise, release

BUDGETS = Target("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")

# Requests in flight: enough to hide their time, few enough to leave the API server to others.
WORKERS = 32
# Decisions without giving way: 64 take about 5 ms.
BATCH = 64
# Decisions that wait to be carried out; deciding pauses at the limit.
PLACED_MAX = 1024
FLUSH_EVERY_S = 30.0

_log = Log("scheduler")


class Placed(msgspec.Struct, gc=False):
    """A decision to carry out."""

    waiting: Waiting
    pod: PodEntry
    node_name: str
    volumes: Choices = Choices()


class Failed(msgspec.Struct, gc=False):
    """A failed attempt to tell about, and what to preempt for it."""

    waiting: Waiting
    reason: str
    message: str
    nominated: str | None = None
    candidate: Candidate | None = None


class Scheduler:
    def __init__(
        self,
        client: ApiClient,
        *,
        clock: Clock,
        random: Random,
        config: Config | None = None,
        host: str = "localhost",
    ) -> None:
        self._client = client
        self._clock = clock
        self._random = random
        self._config = config or Config()
        self._host = host
        self.queue = SchedulingQueue(self._config.backoff)
        self.state = ClusterState(clock, self.queue, [profile.name for profile in self._config.profiles])
        self.owners = Owners()
        self.storage = Storage()
        self.cycles = {
            profile.name: Cycle(
                self.state.columns, profile, self.state.nominations, self.owners.selector, VolumeFilter(self.storage)
            )
            for profile in self._config.profiles
        }
        self._announcer = Announcer(client, clock, host)
        self._work: asyncio.Queue[Placed | Failed] = asyncio.Queue(PLACED_MAX)
        self._wake = asyncio.Event()
        self._paused = False
        interner, pod_decoder = Interner(), msgspec.json.Decoder(PodObject)
        self._pods = self._informer(PODS, lambda body: interner.entry(pod_decoder.decode(body)))
        self._nodes = self._informer(NODES, msgspec.json.Decoder(NodeObject).decode)
        self._namespaces = self._informer(NAMESPACES, msgspec.json.Decoder(NamespaceObject).decode)
        self._budgets = self._informer(BUDGETS, msgspec.json.Decoder(BudgetObject).decode)
        self._owning = self._owner_informers()
        self._stored = self._storage_informers()
        self._pods.on_change(self._on_pod)
        self._nodes.on_change(self._on_node)
        self._namespaces.on_change(self._on_namespace)

    @property
    def synced(self) -> bool:
        """Whether the whole cluster is known; for readiness."""
        return all(each.synced for each in self._informers())

    async def run(self) -> None:
        """Until cancelled; with leader election, decides only while it holds the lease."""
        election = self._config.election
        if election is None:
            await self.lead()
            return
        elector = LeaderElector(
            self._client,
            namespace=election.namespace,
            name=election.name,
            identity=f"{self._host}_{uid(self._random)}",
            clock=self._clock,
            random=self._random,
            terms=Terms(election.lease_s, election.renew_s, election.retry_s),
        )
        await elector.run(self.lead)

    async def lead(self) -> None:
        async with asyncio.TaskGroup() as group:
            for informer in self._informers():
                group.create_task(informer.run(), name=f"scheduler.{informer.target.plural}")
            group.create_task(self._announcer.run(), name="scheduler.events")
            for n in range(WORKERS):
                group.create_task(self._carry_out(group), name=f"scheduler.worker-{n}")
            group.create_task(self._tick(), name="scheduler.tick")
            group.create_task(self._decide_all(), name="scheduler.decide")

    # -- deciding

    async def _decide_all(self) -> None:
        for informer in self._informers():
            await informer.wait_synced()
        _log.info("scheduler.started", nodes=self.state.columns.count, pods=len(self._pods.items))
        while True:
            self._wake.clear()
            while self._decide_batch():
                # Let watches and bindings run between batches.
                await self._clock.sleep(0)
            await self._wait_for_work()

    def _decide_batch(self) -> bool:
        """Decide about at most BATCH pods; says whether there may be more."""
        if self._work.qsize() > PLACED_MAX - BATCH:
            self._paused = True
            return False
        group: list[Waiting] = []
        for _ in range(BATCH):
            waiting = self.queue.pop(self._clock.monotonic())
            if waiting is None:
                break
            if waiting.pod.terminating:
                self._skip(waiting.pod)
                continue
            if group and not are_alike(group[0].pod, waiting.pod):
                self._decide_group(group)
                group = []
            group.append(waiting)
        self._decide_group(group)
        return waiting is not None

    def _decide_group(self, group: list[Waiting]) -> None:
        """Pods that are alike: in one crossing where they only need room, else one by one."""
        rest = group
        if len(group) > 1:
            cycle = self.cycles[group[0].pod.shape.spec.scheduler_name]
            if is_plain(cycle, group[0].pod):
                rows = place(cycle, [waiting.pod for waiting in group], self._random)
                rest = []
                for waiting, row in zip(group, rows, strict=True):
                    if row < 0:
                        rest.append(waiting)
                        continue
                    self.state.assume_counted(waiting.pod, row)
                    self._work.put_nowait(Placed(waiting, waiting.pod, waiting.pod.node_name))
        for waiting in rest:
            self._work.put_nowait(self._decide(waiting))

    def _skip(self, pod: PodEntry) -> None:
        self._announcer.failed(pod, f"skip schedule deleting pod: {pod.key}")

    def _decide(self, waiting: Waiting) -> Placed | Failed:
        pod = waiting.pod
        cycle = self.cycles[pod.shape.spec.scheduler_name]
        decision = cycle.decide(pod, self._random)
        if isinstance(decision, Placement):
            volumes = cycle.volume_choices(pod, decision.node) if pod.claims else Choices()
            promise(self.storage, volumes, decision.node)
            self.state.assume(pod, decision.node)
            return Placed(waiting, pod, decision.node, volumes)
        return self._fail(cycle, waiting, decision)

    def _fail(self, cycle: Cycle, waiting: Waiting, decision: Unschedulable) -> Failed:
        pod = waiting.pod
        result = None
        if decision.filtered is not None and cycle.profile.preemption is not None:
            result = preempt(cycle, pod, decision.filtered, self._all_budgets(), self._random)
        waiting.held = isinstance(result, Candidate)
        self.queue.put_back(waiting, decision.plugins, self._clock.monotonic())
        if isinstance(result, Candidate):
            self.state.nominations.put(pod, result.node)
            return Failed(waiting, UNSCHEDULABLE, decision.message, result.node, result)
        if decision.filtered is None:
            return Failed(waiting, UNSCHEDULABLE, decision.message)
        keep = isinstance(result, Refusal) and result.keep_nomination
        if not keep:
            self.state.nominations.remove(pod.key)
        words = result.words if isinstance(result, Refusal) else ""
        return Failed(waiting, UNSCHEDULABLE, failure_text(decision.message, words), None if keep else "")

    async def _wait_for_work(self) -> None:
        at = self.queue.next_at()
        if at is None:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, at - self._clock.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(FLUSH_EVERY_S)
            self.queue.flush(self._clock.monotonic())
            self._wake.set()

    # -- carrying out

    async def _carry_out(self, group: asyncio.TaskGroup) -> None:
        while True:
            work = await self._work.get()
            if self._paused and self._work.qsize() < PLACED_MAX // 2:
                self._paused = False
                self._wake.set()
            if isinstance(work, Failed):
                await self._tell(work)
            elif work.volumes == Choices():
                await self._bind(work)
            else:
                # May wait for a provisioner for minutes, which must not keep a worker.
                group.create_task(self._bind_with_volumes(work), name=f"scheduler.volumes.{work.pod.key}")

    async def _bind(self, placed: Placed) -> None:
        pod = placed.pod
        try:
            await bind(self._client, pod, placed.node_name)
        except (ApiError, EdgeError) as error:
            await self._unbind(placed, bind_failure(error))
            return
        self._announcer.scheduled(pod, placed.node_name)

    async def _bind_with_volumes(self, placed: Placed) -> None:
        try:
            await bind_volumes(self._client, self._clock, self.storage, placed.volumes, placed.node_name)
        except (ApiError, EdgeError, VolumesNotReady) as error:
            await self._unbind(placed, f'running PreBind plugin "VolumeBinding": {error}')
        else:
            await self._bind(placed)
        finally:
            release(self.storage, placed.volumes)

    async def _unbind(self, placed: Placed, why: str) -> None:
        """Take the pod off its node again and let it be tried again."""
        pod = placed.pod
        _log.info("pod.not_bound", pod=pod.key, node=placed.node_name, why=why)
        if not self.state.forget_assumed(pod):
            # The watch told more than the answer: the pod is bound after all, or gone.
            return
        self._wake.set()
        current = self._pods.items.get(pod.key)
        if current is None or current.node_name or current.uid != pod.uid:
            return
        placed.waiting.pod = current
        self.queue.put_back_failed(placed.waiting, self._clock.monotonic())
        await self._tell(Failed(placed.waiting, SCHEDULER_ERROR, why))

    async def _tell(self, failed: Failed) -> None:
        pod = failed.waiting.pod
        self._announcer.failed(pod, failed.message)
        patch = failure_status(pod, failed.reason, failed.message, failed.nominated, self._clock.now())
        if patch is not None and not self.state.is_assumed(pod.key):
            try:
                await patch_status(self._client, pod, patch)
            except (ApiError, EdgeError) as error:
                if not is_reason(error, "NotFound"):
                    _log.warning("pod.status_not_written", pod=pod.key, why=str(error))
        if failed.candidate is not None:
            await self._preempt(pod, failed.candidate)

    async def _preempt(self, pod: PodEntry, candidate: Candidate) -> None:
        """Evict the victims; the pod is tried again when they are gone."""
        try:
            for other in self.state.nominations.on(candidate.node):
                if other.priority < pod.priority:
                    self.state.nominations.remove(other.key)
                    await patch_status(self._client, other, {"status": {"nominatedNodeName": None}})
            for victim in candidate.victims[:-1]:
                await self._evict(victim, pod, candidate.node)
            # Before the last one goes: its going must wake the pod, which it could not while it is held.
            self.queue.unhold(pod.key)
            if not await self._evict(candidate.victims[-1], pod, candidate.node):
                self.queue.release(pod.key, self._clock.monotonic())
        except (ApiError, EdgeError) as error:
            _log.warning("pod.preemption_failed", pod=pod.key, node=candidate.node, why=str(error))
            self.queue.release(pod.key, self._clock.monotonic())
        self._wake.set()

    async def _evict(self, victim: PodEntry, by: PodEntry, node_name: str) -> bool:
        done = await evict(self._client, self._clock, victim, by.shape.spec.scheduler_name)
        if done:
            self._announcer.preempted(victim, by, node_name)
        return done

    # -- the picture of the cluster

    def _on_pod(self, key: str, old: PodEntry | None, new: PodEntry | None) -> None:
        self.state.on_pod(key, old, new)
        self._wake.set()

    def _on_node(self, key: str, old: NodeObject | None, new: NodeObject | None) -> None:
        self.state.on_node(key, old, new)
        self._wake.set()

    def _on_namespace(self, key: str, old: NamespaceObject | None, new: NamespaceObject | None) -> None:
        self.state.on_namespace(key, old, new)
        self._wake.set()

    def _informer(self, target: Target, decode: Callable[[bytes], object]) -> Informer:
        return Informer(self._client, target, decode, clock=self._clock, random=self._random)

    def _informers(self) -> list[Informer]:
        return [self._pods, self._nodes, self._namespaces, self._budgets, *self._owning, *self._stored]

    def _storage_informers(self) -> list[Informer]:
        found = []
        for target, struct in KINDS:
            informer = self._informer(target, msgspec.json.Decoder(struct).decode)
            informer.on_change(self._storage_changer(target))
            found.append(informer)
        return found

    def _storage_changer(self, target: Target) -> Callable[[str, object, object], None]:
        kind = Kind.CLAIM if target is CLAIMS else Kind.STORAGE

        def change(key: str, old: object, new: object) -> None:
            self.storage.change(target, key, new)
            self.state.on_other(kind, key)
            self._wake.set()

        return change

    def _owner_informers(self) -> list[Informer]:
        found = []
        for target, by_map in OWNERS:
            informer = self._informer(
                target, msgspec.json.Decoder(MapSelectorObject if by_map else SelectorObject).decode
            )
            informer.on_change(self.owners.changer(target.kind))
            found.append(informer)
        return found

    def _all_budgets(self) -> list[Budget]:
        return [budget_of(each) for each in self._budgets.items.values()]


def budget_of(found: BudgetObject) -> Budget:
    return Budget(
        found.metadata.namespace,
        compile_selector(found.spec.selector),
        found.status.disruptions_allowed,
        frozenset(found.status.disrupted_pods or ()),
    )
