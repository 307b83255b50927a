"""Runs the scheduler: informers fill the picture, one task decides, many carry decisions out.

enters   an ApiClient
leaves   bindings, pod statuses, events
holds    decisions are made one after the other on a picture that contains all earlier ones; nothing waits between
         reading the picture and writing the decision into it
fails    LeaseLost when another process may decide now; the component ends and is started again
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random, uid
from cybernetes.client.api import ApiClient
from cybernetes.client.leader import LeaderElector, Terms
from cybernetes.scheduler import numbers
from cybernetes.scheduler.announce import Announcer
from cybernetes.scheduler.batch import are_alike, is_plain, place
from cybernetes.scheduler.bind import SCHEDULER_ERROR, UNSCHEDULABLE
from cybernetes.scheduler.carry import Carrier, Failed, Placed
from cybernetes.scheduler.config import Config
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.devices.filters import DeviceFilter
from cybernetes.scheduler.devices.state import Devices
from cybernetes.scheduler.devices.write import forget_devices, promise_devices
from cybernetes.scheduler.extended import Extended
from cybernetes.scheduler.extenders import Extender, ExtenderFailed
from cybernetes.scheduler.intake import Intake
from cybernetes.scheduler.outcome import Unschedulable
from cybernetes.scheduler.owners import Owners
from cybernetes.scheduler.pods import GROUP_MIN_ANNOTATION, PodEntry
from cybernetes.scheduler.preempt import Refusal, preempt
from cybernetes.scheduler.queue import SchedulingQueue, Waiting
from cybernetes.scheduler.reasons import failure_text
from cybernetes.scheduler.state import ClusterState
from cybernetes.scheduler.storage.choose import Choices
from cybernetes.scheduler.storage.filters import VolumeFilter
from cybernetes.scheduler.storage.state import Storage
from cybernetes.scheduler.storage.write import promise, release
from cybernetes.scheduler.victims import Candidate

# Pods that are taken from the queue at once: what one crossing into the kernels may place.
BATCH = 64
# Deciding gives way to watches and bindings after this long, and the rest goes back into the queue.
TURN_S = 0.005
FLUSH_EVERY_S = 30.0

_log = Log("scheduler")


class Scheduler:
    def __init__(
        self,
        client: ApiClient,
        *,
        clock: Clock,
        random: Random,
        config: Config | None = None,
        host: str = "localhost",
        extenders: Sequence[Extender] = (),
    ) -> None:
        self._client = client
        self._clock = clock
        self._random = random
        self._config = config or Config()
        self._host = host
        profiles = self._config.profiles
        self.queue = SchedulingQueue(self._config.backoff)
        self.numbers = numbers.Numbers()
        self._elector: LeaderElector | None = None
        self.state = ClusterState(clock, self.queue, [profile.name for profile in profiles])
        owners, self._storage, self._devices = Owners(), Storage(), Devices()
        volumes = VolumeFilter(self._storage)
        columns, nominations = self.state.columns, self.state.nominations
        claimed = DeviceFilter(self._devices)
        self.cycles = {
            each.name: Cycle(columns, each, nominations, owners.selector, volumes, claimed) for each in profiles
        }
        self._wake = asyncio.Event()
        self._announcer = Announcer(client, clock, host, lambda: self._carrier.has_backlog)
        self._intake = Intake(
            client,
            clock,
            random,
            state=self.state,
            owners=owners,
            storage=self._storage,
            devices=self._devices,
            changed=self._wake.set,
            whole_nodes=any(not each.terms.knows_nodes for each in extenders),
        )
        self._extenders = extenders
        self._extended = Extended(client, extenders, self._intake.whole_nodes)
        # Taken from the queue, and some extender is concerned with it.
        self._asking: Waiting | None = None
        self._carrier = Carrier(
            client,
            clock,
            self._announcer,
            state=self.state,
            storage=self._storage,
            devices=self._devices,
            pods=self._intake.pods.items,
            woken=self._wake.set,
        )

    @property
    def synced(self) -> bool:
        """Whether the whole cluster is known; for readiness."""
        return self._intake.synced

    @property
    def leads(self) -> bool:
        """Whether this process decides, or would be the one to."""
        return self._config.election is None or (self._elector is not None and self._elector.is_leader)

    async def run(self) -> None:
        """Until cancelled; with leader election, decides only while it holds the lease."""
        election = self._config.election
        if election is None:
            await self.lead()
            return
        elector = self._elector = LeaderElector(
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
            self._intake.start(group)
            self._carrier.start(group)
            group.create_task(self._announcer.run(), name="scheduler.events")
            group.create_task(self._flush(), name="scheduler.flush")
            group.create_task(self._decide_all(), name="scheduler.decide")

    async def _decide_all(self) -> None:
        await self._intake.wait_synced()
        _log.info("scheduler.started", nodes=self.state.columns.count, pods=len(self._intake.pods.items))
        while True:
            self._wake.clear()
            while self._decide_some():
                if self._asking is not None:
                    await self._decide_asking(self._asking)
                await self._clock.sleep(0)
            await self._wait_for_work()

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

    async def _flush(self) -> None:
        while True:
            await self._clock.sleep(FLUSH_EVERY_S)
            self.queue.flush(self._clock.monotonic())
            self._wake.set()

    def _decide_some(self) -> bool:
        """One turn of deciding; says whether there may be more to decide now."""
        if not self._carrier.has_room(BATCH):
            return False
        now = self._clock.monotonic()
        taken = self._take(now)
        if not taken:
            return False
        while taken and self._clock.monotonic() - now < TURN_S:
            if self._extenders and not taken[0].pod.group and self._extended.concerns(taken[0].pod):
                self._asking, *taken = taken
                break
            before = self._clock.monotonic()
            taken = self._decide_first(taken)
            self.numbers.took(self._clock.monotonic() - before)
        for waiting in taken:
            self.queue.give_back(waiting)
        return True

    def _take(self, now: float) -> list[Waiting]:
        taken: list[Waiting] = []
        while len(taken) < BATCH and (waiting := self.queue.pop(now)) is not None:
            if waiting.pod.terminating:
                self._announcer.failed(waiting.pod, f"skip schedule deleting pod: {waiting.pod.key}")
            else:
                taken.append(waiting)
        return taken

    def _decide_first(self, taken: list[Waiting]) -> list[Waiting]:
        """Decide about the first pod, with those like it that follow where only room matters; returns the rest."""
        first = taken[0].pod
        if first.group:
            return self._decide_group(taken)
        cycle = self.cycles[first.shape.spec.scheduler_name]
        alike = next((n for n, each in enumerate(taken) if not are_alike(first, each.pod)), len(taken))
        if alike > 1 and is_plain(cycle, first):
            rows = place(cycle, [each.pod for each in taken[:alike]], self._random)
            placed = sum(row >= 0 for row in rows)
            for waiting, row in zip(taken[:placed], rows, strict=False):
                self.state.assume_counted(waiting.pod, row)
                self._put(Placed(waiting, waiting.pod, waiting.pod.node_name))
            if placed:
                return taken[placed:]
        self._put(self._decide(cycle, taken[0]))
        return taken[1:]

    def _decide_group(self, taken: list[Waiting]) -> list[Waiting]:
        """Decide about the first pod's whole group: enough of it get nodes, or none; returns the pods of others."""
        group = taken[0].pod.group
        members = [each for each in taken if each.pod.group == group] + self.queue.take_group(group)
        running, wanted = self.state.group_size(group), max(each.pod.group_min for each in members)
        if any(self._extended.concerns(each.pod) for each in members):
            self._fail_group(members, f"pod group {group}: scheduler extenders and pod groups exclude each other")
        elif not wanted:
            self._fail_group(members, f"pod group {group}: the annotation {GROUP_MIN_ANNOTATION} is no positive number")
        elif running + len(members) < wanted:
            self._fail_group(members, f"pod group {group} has {running + len(members)} of {wanted} pods")
        else:
            self._place_group(members, wanted - running)
        return [each for each in taken if each.pod.group != group]

    def _place_group(self, members: Sequence[Waiting], needed: int) -> None:
        placed: list[Placed] = []
        failed: list[tuple[Waiting, Unschedulable]] = []
        for waiting in members:
            cycle = self.cycles[waiting.pod.shape.spec.scheduler_name]
            decision = cycle.decide(waiting.pod, self._random)
            if isinstance(decision, Unschedulable):
                failed.append((waiting, decision))
            else:
                placed.append(self._place(cycle, waiting, decision.node))
        if len(placed) >= needed:
            for each in placed:
                self._put(each)
            for waiting, decision in failed:
                cycle = self.cycles[waiting.pod.shape.spec.scheduler_name]
                self._put(self._fail(waiting, decision, self._preempt(cycle, waiting.pod, decision)))
            return
        for each in reversed(placed):
            release(self._storage, each.volumes)
            forget_devices(self._devices, each.devices)
            self.state.unassume(each.pod)
        missing = f"pod group {members[0].pod.group}: {needed - len(placed)} more of its pods would have to fit"
        why = failed[0][1]
        self._fail_group(members, f"{missing}; {why.message}", why.plugins)

    def _fail_group(self, members: Sequence[Waiting], message: str, plugins: frozenset[str] = frozenset()) -> None:
        """No member gets a node. Groups preempt nobody: victims of one that fits not as a whole would go in vain."""
        for waiting in members:
            self.queue.put_back(waiting, plugins | {"GangScheduling"}, self._clock.monotonic())
            self._put(Failed(waiting, UNSCHEDULABLE, message))

    async def _decide_asking(self, waiting: Waiting) -> None:
        """One pod that extenders have a say in. Nothing else is decided meanwhile, but events go on."""
        self._asking = None
        pod, began = waiting.pod, self._clock.monotonic()
        cycle = self.cycles[pod.shape.spec.scheduler_name]
        try:
            decision = await self._extended.decide(cycle, pod, self._random)
            result = None
            if isinstance(decision, Unschedulable) and decision.filtered is not None and cycle.profile.preemption:
                budgets = self._intake.budgets()
                result = await self._extended.preempt(cycle, pod, decision.filtered, budgets, self._random)
        except (ApiError, EdgeError, ExtenderFailed) as error:
            if self._take_again(waiting):
                self.queue.put_back_failed(waiting, self._clock.monotonic())
                self._put(Failed(waiting, SCHEDULER_ERROR, str(error)))
                self.numbers.took(self._clock.monotonic() - began)
            return
        if not self._take_again(waiting):
            return
        if isinstance(decision, Unschedulable):
            self._put(self._fail(waiting, decision, result))
        else:
            placed = self._place(cycle, waiting, decision.node)
            placed.binder = self._extended.binder(pod)
            self._put(placed)
        self.numbers.took(self._clock.monotonic() - began)

    def _put(self, work: Placed | Failed) -> None:
        """Have a decision carried out."""
        if isinstance(work, Placed):
            result = numbers.SCHEDULED
        else:
            result = numbers.ERROR if work.reason == SCHEDULER_ERROR else numbers.UNSCHEDULABLE
        self.numbers.decided(work.waiting.pod.shape.spec.scheduler_name, result)
        self._carrier.put(work)

    def _take_again(self, waiting: Waiting) -> bool:
        """Whether the pod still waits for a node; what changed of it meanwhile put it into the queue once more."""
        current = self._intake.pods.items.get(waiting.pod.key)
        if current is None or current.uid != waiting.pod.uid or current.node_name:
            return False
        self.queue.remove(current.key)
        waiting.pod = current
        return True

    def _decide(self, cycle: Cycle, waiting: Waiting) -> Placed | Failed:
        pod = waiting.pod
        decision = cycle.decide(pod, self._random)
        if isinstance(decision, Unschedulable):
            return self._fail(waiting, decision, self._preempt(cycle, pod, decision))
        return self._place(cycle, waiting, decision.node)

    def _place(self, cycle: Cycle, waiting: Waiting, node_name: str) -> Placed:
        pod = waiting.pod
        volumes = cycle.volume_choices(pod, node_name) if pod.claims else Choices()
        promise(self._storage, volumes, node_name)
        devices = cycle.device_grant(pod, node_name)
        promise_devices(self._devices, pod, devices)
        self.state.assume(pod, node_name)
        return Placed(waiting, pod, node_name, volumes, devices)

    def _fail(self, waiting: Waiting, decision: Unschedulable, result: Candidate | Refusal | None) -> Failed:
        pod = waiting.pod
        waiting.held = isinstance(result, Candidate)
        self.queue.put_back(waiting, decision.plugins, self._clock.monotonic())
        if decision.filtered is None:
            return Failed(waiting, UNSCHEDULABLE, decision.message)
        if isinstance(result, Candidate):
            self.state.nominations.put(pod, result.node)
            return Failed(waiting, UNSCHEDULABLE, decision.message, result.node, result)
        keep = result is not None and result.keep_nomination
        if not keep:
            self.state.nominations.remove(pod.key)
        words = result.words if result is not None else ""
        message = failure_text(decision.message, words, claims=bool(pod.device_claims))
        return Failed(waiting, UNSCHEDULABLE, message, None if keep else "")

    def _preempt(self, cycle: Cycle, pod: PodEntry, decision: Unschedulable) -> Candidate | Refusal | None:
        if decision.filtered is None or cycle.profile.preemption is None:
            return None
        return preempt(cycle, pod, decision.filtered, self._intake.budgets(), self._random)
