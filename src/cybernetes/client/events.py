"""Events for users: what a component did to an object, or why it could not.

Equal events become one with a count; many that differ only in their message become one "(combined from
similar events)"; one source may say only so much about one object.

source  client-go's "EventCorrelator": 10 similar in 10 minutes are combined; a burst of 25 an object, then
        one in 5 minutes; 4096 remembered
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, TypeVar

import msgspec

from cybernetes.base.clock import Clock, rfc3339
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.api import ApiClient, PatchType, is_reason
from cybernetes.client.target import EVENTS

# Waiting to be sent; events are a courtesy, so the newest are dropped when the API server is away for long.
PENDING_MAX = 1000
REMEMBERED_MAX = 4096
SIMILAR_MAX = 10
SIMILAR_WINDOW_S = 600.0
BURST = 25
REFILL_PER_S = 1 / 300
MESSAGE_CHARACTERS_MAX = 1024
TRIES_MAX = 12
RETRY_S = 10.0

_log = Log("events")
V = TypeVar("V")


class Reference(msgspec.Struct, frozen=True, gc=False):
    """The object that an event is about; `field_path` for a part of it, `spec.containers{app}`."""

    kind: str
    api_version: str
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


class _Said(msgspec.Struct):
    """An event that the server has: its name, and how often it was said."""

    name: str
    count: int
    first: str


class _Similar(msgspec.Struct):
    messages: set[str]
    last: float


class _Tokens(msgspec.Struct):
    left: float
    at: float


class _Remembered(OrderedDict[Any, V]):
    """The last REMEMBERED_MAX entries used."""

    def use(self, key: Any, value: V) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > REMEMBERED_MAX:
            self.popitem(last=False)


class _Event(msgspec.Struct, frozen=True):
    about: Reference
    type: str
    reason: str
    message: str
    now: float
    annotations: dict[str, str] | None


class EventRecorder:
    """`normal` and `warning` return at once; `run` sends until cancelled."""

    def __init__(self, client: ApiClient, *, component: str, clock: Clock, host: str = "", instance: str = "") -> None:
        self._client = client
        self._component = component
        self._host = host
        self._instance = instance or host
        self._clock = clock
        self._pending: asyncio.Queue[_Event] = asyncio.Queue(PENDING_MAX)
        self._said: _Remembered[_Said] = _Remembered()
        self._similar: _Remembered[_Similar] = _Remembered()
        self._tokens: _Remembered[_Tokens] = _Remembered()
        self._last_stamp = 0

    def normal(self, about: Reference, reason: str, message: str, annotations: dict[str, str] | None = None) -> None:
        self._record(about, "Normal", reason, message, annotations)

    def warning(self, about: Reference, reason: str, message: str, annotations: dict[str, str] | None = None) -> None:
        self._record(about, "Warning", reason, message, annotations)

    async def run(self) -> None:
        while True:
            await self._send(await self._pending.get())

    async def flush(self) -> None:
        """Send what is pending now."""
        while not self._pending.empty():
            await self._send(self._pending.get_nowait())

    def _record(
        self, about: Reference, kind: str, reason: str, message: str, annotations: dict[str, str] | None
    ) -> None:
        event = _Event(about, kind, reason, message[:MESSAGE_CHARACTERS_MAX], self._clock.now(), annotations)
        try:
            self._pending.put_nowait(event)
        except asyncio.QueueFull:
            _log.debug("events.dropped", reason=reason, object=about.name)

    async def _send(self, event: _Event) -> None:
        if not self._may_speak(event.about):
            return
        message, key = self._aggregated(event)
        for _ in range(TRIES_MAX):
            try:
                await self._write(event, message, key)
                return
            except ApiError as error:
                # A refusal will not change: the namespace is going away, or the event is not valid.
                if error.code < 500 and error.code != 429:
                    _log.debug("events.refused", reason=event.reason, why=str(error))
                    return
            except EdgeError as error:
                _log.debug("events.delayed", reason=event.reason, why=str(error))
            await self._clock.sleep(RETRY_S)

    def _may_speak(self, about: Reference) -> bool:
        key = (about.kind, about.namespace, about.name, about.uid)
        now = self._clock.monotonic()
        tokens = self._tokens.get(key) or _Tokens(BURST, now)
        left = min(BURST, tokens.left + (now - tokens.at) * REFILL_PER_S)
        self._tokens.use(key, _Tokens(left - 1 if left >= 1 else left, now))
        return left >= 1

    def _aggregated(self, event: _Event) -> tuple[str, tuple[Any, ...]]:
        """The message to show and the key of equal events: of an object whatever its version."""
        about = msgspec.structs.replace(event.about, resource_version="")
        group = (msgspec.structs.replace(about, field_path=""), event.type, event.reason)
        now = self._clock.monotonic()
        similar = self._similar.get(group)
        if similar is None or now - similar.last > SIMILAR_WINDOW_S:
            similar = _Similar(set(), now)
        similar.last = now
        if len(similar.messages) < SIMILAR_MAX:
            similar.messages.add(event.message)
        self._similar.use(group, similar)
        if len(similar.messages) < SIMILAR_MAX:
            return event.message, (about, event.type, event.reason, event.message)
        return f"(combined from similar events): {event.message}", group

    async def _write(self, event: _Event, message: str, key: tuple[Any, ...]) -> None:
        namespace = event.about.namespace or "default"
        said = self._said.get(key)
        if said is not None:
            patch = {"count": said.count + 1, "lastTimestamp": rfc3339(event.now), "message": message}
            try:
                await self._client.patch(EVENTS, said.name, patch, PatchType.MERGE, namespace=namespace)
            except ApiError as error:
                # The server forgets events after an hour.
                if not is_reason(error, "NotFound"):
                    raise
            else:
                self._said.use(key, _Said(said.name, said.count + 1, said.first))
                return
        body = self._body(event, message, namespace)
        await self._client.create(EVENTS, body, namespace=namespace)
        self._said.use(key, _Said(body["metadata"]["name"], 1, body["firstTimestamp"]))

    def _body(self, event: _Event, message: str, namespace: str) -> dict[str, Any]:
        about = event.about
        at = rfc3339(event.now)
        involved = {
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
            "apiVersion": about.api_version,
            "resourceVersion": about.resource_version,
            "fieldPath": about.field_path,
        }
        # Names end in nanoseconds; two events of one moment must differ.
        self._last_stamp = max(self._last_stamp + 1, int(event.now * 1e9))
        metadata: dict[str, Any] = {"name": f"{about.name}.{self._last_stamp:x}", "namespace": namespace}
        if event.annotations:
            metadata["annotations"] = event.annotations
        source = {"component": self._component, **({"host": self._host} if self._host else {})}
        return {
            "metadata": metadata,
            "involvedObject": {name: value for name, value in involved.items() if value},
            "reason": event.reason,
            "message": message,
            "source": source,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
            "type": event.type,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
        }
