"""Pods that wait: those to try now, those in backoff, those that nothing but a change can help.

enters   pods, results of attempts, changes of the cluster; `now` is monotonic seconds
leaves   the next pod to try
holds    a pod is in one place only; order is priority, then the time at which the pod came into the queue
source   Kubernetes documentation "Kubernetes Scheduler", "Pod Priority and Preemption"
"""

from __future__ import annotations

import heapq
import math
from collections import Counter

import msgspec

from cybernetes.scheduler.hints import EVENTS, HINTS, Change, Kind, listens, wants_retry
from cybernetes.scheduler.pods import PodEntry

# A pod that no change moved is tried again after this long, lest a change was not understood.
UNSCHEDULABLE_LIMIT_S = 300.0
GATES = "SchedulingGates"
# Why pods come into a part of the queue, and the parts, as kube-scheduler's metrics name them.
POD_ADD, OWN_UPDATE, FAILURE, COMPLETE = "PodAdd", "PodUpdate", "ScheduleAttemptFailure", "BackoffComplete"
TIMEOUT, RELEASED = "UnschedulableTimeout", "ForceActivate"
ACTIVE, BACKOFF, PARKED, GATED = "active", "backoff", "unschedulable", "gated"


class Backoff(msgspec.Struct, frozen=True):
    first_s: float = 1.0
    limit_s: float = 10.0

    def after(self, attempts: int) -> float:
        """Seconds to wait after this many failed attempts in a row."""
        return min(self.limit_s, self.first_s * 2 ** min(max(0, attempts - 1), 30)) if attempts else 0.0


class Waiting(msgspec.Struct):
    """One pod in the queue.

    since       when it was put into the part where it is
    attempts    failed attempts, unschedulable; errors: attempts that ended with an error, in a row
    plugins     that rejected it last
    held        waits for its preemption to be carried out
    ticket      of its entry in a heap; an entry with another ticket is void
    """

    pod: PodEntry
    since: float
    attempts: int = 0
    errors: int = 0
    plugins: frozenset[str] = frozenset()
    held: bool = False
    ready_at: float = 0.0
    ticket: int = 0
    parked: bool = False


class SchedulingQueue:
    """incoming: (event, part) -> pods that came there for it."""

    def __init__(self, backoff: Backoff | None = None) -> None:
        self.incoming: Counter[tuple[str, str]] = Counter()
        self._backoff = backoff or Backoff()
        self._waiting: dict[str, Waiting] = {}
        self._active: list[tuple[int, float, int, str]] = []
        self._resting: list[tuple[float, int, str]] = []
        self._parked: dict[str, dict[str, Waiting]] = {}
        self._tickets = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def pending(self) -> dict[str, int]:
        """How many pods each part holds. Cost: all pods that wait."""
        resting = {ticket for _, ticket, _ in self._resting}
        counts = dict.fromkeys((ACTIVE, BACKOFF, PARKED, GATED), 0)
        for each in self._waiting.values():
            if each.parked:
                counts[GATED if each.pod.gates else PARKED] += 1
            else:
                counts[BACKOFF if each.ticket in resting else ACTIVE] += 1
        return counts

    def add(self, pod: PodEntry, now: float) -> None:
        """A pod that was not seen before, or that changed while it waits."""
        waiting = self._waiting.get(pod.key)
        if waiting is None:
            waiting = self._waiting[pod.key] = Waiting(pod, now)
        elif waiting.pod.uid != pod.uid:
            self.remove(pod.key)
            waiting = self._waiting[pod.key] = Waiting(pod, now)
        else:
            self._replace(waiting, pod, now)
            return
        if pod.gates:
            self._park(waiting, frozenset((GATES,)), now)
            self.incoming[POD_ADD, GATED] += 1
        else:
            self._activate(waiting)
            self.incoming[POD_ADD, ACTIVE] += 1

    def remove(self, key: str) -> None:
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            waiting.ticket = 0
            self._unpark(waiting)

    def get(self, key: str) -> Waiting | None:
        return self._waiting.get(key)

    def pop(self, now: float) -> Waiting | None:
        """The next pod to try; it leaves the queue. One in backoff comes early when nothing else is to do."""
        self._wake(now)
        while self._active:
            _, _, ticket, key = heapq.heappop(self._active)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.ticket == ticket:
                return self._waiting.pop(key)
        while self._resting:
            _, ticket, key = self._resting[0]
            waiting = self._waiting.get(key)
            if waiting is None or waiting.ticket != ticket:
                heapq.heappop(self._resting)
            elif waiting.errors:
                return None
            else:
                heapq.heappop(self._resting)
                return self._waiting.pop(key)
        return None

    def take_group(self, group: str) -> list[Waiting]:
        """All waiting pods of a pod group, wherever they wait; they leave the queue. The order is that of trying."""
        found = [each for each in self._waiting.values() if each.pod.group == group and not each.pod.gates]
        for waiting in found:
            self.remove(waiting.pod.key)
        return sorted(found, key=lambda each: (-each.pod.priority, each.since))

    def put_back(self, waiting: Waiting, plugins: frozenset[str], now: float) -> None:
        """After an attempt that found no node: wait for a change that can help."""
        waiting.attempts += 1
        waiting.errors = 0
        waiting.since = now
        waiting.ready_at = self._ready_at(waiting.attempts, now)
        self._waiting[waiting.pod.key] = waiting
        self._park(waiting, plugins, now)
        self.incoming[FAILURE, PARKED] += 1

    def put_back_failed(self, waiting: Waiting, now: float) -> None:
        """After an attempt that ended with an error: try again after a backoff."""
        waiting.errors += 1
        waiting.since = now
        waiting.ready_at = self._ready_at(waiting.errors, now)
        self._waiting[waiting.pod.key] = waiting
        self._rest(waiting)
        self.incoming[FAILURE, BACKOFF] += 1

    def give_back(self, waiting: Waiting) -> None:
        """A pod that was taken but not tried: at its old place."""
        self._waiting[waiting.pod.key] = waiting
        self._activate(waiting)

    def unhold(self, key: str) -> None:
        """The pod's preemption is carried out: changes may move the pod again."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.held = False

    def release(self, key: str, now: float) -> None:
        """The pod's preemption failed, or there was nothing left to do: try it again."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.held = False
            if waiting.parked:
                self._move(waiting, now, RELEASED)

    def on_change(self, change: Change, now: float) -> int:
        """Move the pods that this change can help; returns how many."""
        moved = 0
        for plugin in [each for each in self._parked if listens(each, change.kind)]:
            for waiting in list(self._parked.get(plugin, {}).values()):
                if not waiting.held and waiting.parked and wants_retry(plugin, waiting.pod, change):
                    self._move(waiting, now, EVENTS[change.kind])
                    moved += 1
        return moved

    def next_at(self) -> float | None:
        """When the next pod's backoff ends; None: no pod is in backoff."""
        return self._resting[0][0] if self._resting else None

    def flush(self, now: float) -> None:
        """Move pods that waited for a change for too long."""
        for waiting in list(self._waiting.values()):
            old = waiting.parked and now - waiting.since > UNSCHEDULABLE_LIMIT_S
            if old and not waiting.pod.gates and not waiting.held:
                self._move(waiting, now, TIMEOUT)

    # Private.

    def _replace(self, waiting: Waiting, pod: PodEntry, now: float) -> None:
        old, waiting.pod = waiting.pod, pod
        same = old.shape is pod.shape and old.label_set is pod.label_set and old.gates == pod.gates
        if not waiting.parked or (same and old.device_claims == pod.device_claims):
            return
        if pod.gates:
            self._unpark(waiting)
            self._park(waiting, frozenset((GATES,)), now)
            return
        change = Change(Kind.OWN_CHANGED, old, pod)
        # A rejection that no plugin knows how to undo is tried again whenever the pod itself changes.
        known = [plugin for plugin in waiting.plugins if Kind.OWN_CHANGED in HINTS.get(plugin, {})]
        if not known or any(wants_retry(plugin, pod, change) for plugin in known):
            self._move(waiting, now, OWN_UPDATE)

    def _move(self, waiting: Waiting, now: float, event: str) -> None:
        self._unpark(waiting)
        if waiting.ready_at > now:
            self._rest(waiting)
            self.incoming[event, BACKOFF] += 1
        else:
            self._activate(waiting)
            self.incoming[event, ACTIVE] += 1

    def _wake(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            _, ticket, key = heapq.heappop(self._resting)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.ticket == ticket:
                self._activate(waiting)
                self.incoming[COMPLETE, ACTIVE] += 1

    def _activate(self, waiting: Waiting) -> None:
        waiting.ticket = self._next_ticket()
        heapq.heappush(self._active, (-waiting.pod.priority, waiting.since, waiting.ticket, waiting.pod.key))

    def _rest(self, waiting: Waiting) -> None:
        waiting.ticket = self._next_ticket()
        heapq.heappush(self._resting, (waiting.ready_at, waiting.ticket, waiting.pod.key))

    def _park(self, waiting: Waiting, plugins: frozenset[str], now: float) -> None:
        waiting.ticket = 0
        waiting.since = now
        waiting.plugins = plugins
        waiting.parked = True
        # Sorted, because the order in which pods are moved later follows from it.
        for plugin in sorted(plugins) or ("",):
            self._parked.setdefault(plugin, {})[waiting.pod.key] = waiting

    def _unpark(self, waiting: Waiting) -> None:
        if not waiting.parked:
            return
        waiting.parked = False
        for plugin in waiting.plugins or ("",):
            pods = self._parked[plugin]
            del pods[waiting.pod.key]
            if not pods:
                del self._parked[plugin]

    def _ready_at(self, attempts: int, now: float) -> float:
        # Whole seconds, so that pods that failed at about the same time are tried together.
        return math.floor(now + self._backoff.after(attempts))

    def _next_ticket(self) -> int:
        self._tickets += 1
        return self._tickets
