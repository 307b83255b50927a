"""Events that tell users what became of their pods, in the form of events.k8s.io/v1.

A pod that fails again for the same reason has its event counted up, not repeated.

source  Kubernetes API reference "Event v1 events.k8s.io"
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from cybernetes.base.clock import Clock, rfc3339_micro
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.api import ApiClient, PatchType, is_reason
from cybernetes.client.target import Target
from cybernetes.scheduler.pods import PodEntry

EVENTS = Target("events.k8s.io", "v1", "events", "Event")

# Bindings come faster than events can be written; what does not fit is dropped, for events are a courtesy.
PENDING_MAX = 20_000
WORKERS = 4
# A burst is told at once; after that bindings, which matter more, get the API server's time.
BURST = 200
EVENTS_PER_S = 200
# While bindings wait for each other a worker rests so long before an event: twenty a second are told then.
BUSY_PAUSE_S = 0.2
NOTE_BYTES_MAX = 1024
CUT = " ..."
# Failing pods whose event is known, so that it is counted up.
SERIES_MAX = 4096

_log = Log("scheduler")


class Announcement(msgspec.Struct, frozen=True, gc=False):
    namespace: str
    pod: str
    uid: str
    type: str
    reason: str
    action: str
    note: str
    controller: str
    at: float
    repeats: bool


class Announcer:
    """busy: whether more bindings wait than one request holds."""

    def __init__(self, client: ApiClient, clock: Clock, host: str, busy: Callable[[], bool] = lambda: False) -> None:
        self._busy = busy
        self._client = client
        self._clock = clock
        self._host = host
        self._pending: asyncio.Queue[Announcement] = asyncio.Queue(PENDING_MAX)
        self._tokens = float(BURST)
        self._filled_at = clock.monotonic()
        self._series: OrderedDict[tuple[str, str, str], tuple[str, int]] = OrderedDict()

    def scheduled(self, pod: PodEntry, node_name: str) -> None:
        note = f"Successfully assigned {pod.namespace}/{pod.name} to {node_name}"
        self._put(pod, "Normal", "Scheduled", "Binding", note)

    def failed(self, pod: PodEntry, note: str) -> None:
        self._put(pod, "Warning", "FailedScheduling", "Scheduling", truncated(note), repeats=True)

    def preempted(self, victim: PodEntry, by: PodEntry, node_name: str) -> None:
        note = f"Preempted by pod {by.uid} on node {node_name}"
        self._put(victim, "Normal", "Preempted", "Preempting", note)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for n in range(WORKERS):
                group.create_task(self._work(), name=f"scheduler.events-{n}")

    def _put(self, pod: PodEntry, kind: str, reason: str, action: str, note: str, repeats: bool = False) -> None:
        controller = pod.shape.spec.scheduler_name
        found = Announcement(
            pod.namespace, pod.name, pod.uid, kind, reason, action, note, controller, self._clock.now(), repeats
        )
        try:
            self._pending.put_nowait(found)
        except asyncio.QueueFull:
            _log.debug("event.dropped", reason=reason, pod=pod.key)

    async def _work(self) -> None:
        while True:
            event = await self._pending.get()
            await self._wait_for_turn()
            try:
                await self._send(event)
            except (ApiError, EdgeError) as error:
                _log.debug("event.refused", reason=event.reason, pod=event.pod, why=str(error))

    async def _wait_for_turn(self) -> None:
        if self._busy():
            await self._clock.sleep(BUSY_PAUSE_S)
        now = self._clock.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * EVENTS_PER_S) - 1
        self._filled_at = now
        if self._tokens < 0:
            await self._clock.sleep(-self._tokens / EVENTS_PER_S)

    async def _send(self, event: Announcement) -> None:
        key = (event.uid, event.reason, event.note)
        if event.repeats and await self._count_up(event, key):
            return
        name = f"{event.pod}.{int(event.at * 1e9):x}"
        await self._client.create(EVENTS, body(event, name, self._host), namespace=event.namespace)
        if event.repeats:
            self._series[key] = (name, 1)
            if len(self._series) > SERIES_MAX:
                self._series.popitem(last=False)

    async def _count_up(self, event: Announcement, key: tuple[str, str, str]) -> bool:
        known = self._series.get(key)
        if known is None:
            return False
        name, count = known
        series = {"series": {"count": count + 1, "lastObservedTime": rfc3339_micro(event.at)}}
        try:
            await self._client.patch(EVENTS, name, series, PatchType.MERGE, namespace=event.namespace)
        except ApiError as error:
            if not is_reason(error, "NotFound"):
                raise
            del self._series[key]
            return False
        self._series[key] = (name, count + 1)
        return True


def body(event: Announcement, name: str, host: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": event.namespace},
        "eventTime": rfc3339_micro(event.at),
        "reportingController": event.controller,
        "reportingInstance": f"{event.controller}-{host}",
        "action": event.action,
        "reason": event.reason,
        "regarding": {
            "kind": "Pod",
            "apiVersion": "v1",
            "namespace": event.namespace,
            "name": event.pod,
            "uid": event.uid,
        },
        "note": event.note,
        "type": event.type,
    }


def truncated(note: str) -> str:
    """At most NOTE_BYTES_MAX bytes; a note that was cut says so."""
    raw = note.encode()
    if len(raw) <= NOTE_BYTES_MAX:
        return note
    return raw[: NOTE_BYTES_MAX - len(CUT)].decode(errors="ignore") + CUT
