"""Keeps events below a size: what is larger loses the objects that it carries.

source  Kubernetes documentation "Auditing", event truncation
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from cybernetes.apiserver.audit import event as events
from cybernetes.apiserver.audit.auditor import Backend
from cybernetes.apiserver.audit.numbers import Numbers
from cybernetes.base.log import Log

log = Log("apiserver.audit")

TRUNCATED = "audit.k8s.io/truncated"
_OBJECTS = ("requestObject", "responseObject")
# Levels at which events carry objects; without them there is nothing that could be left out.
_WITH_OBJECTS = ("Request", "RequestResponse")


def truncated(line: bytes) -> bytes:
    """The event without its objects, and with an annotation that says so; the same line where it never had any."""
    event = _read(line)
    if event["level"] not in _WITH_OBJECTS:
        return line
    kept = {key: value for key, value in event.items() if key not in _OBJECTS}
    return events.line(kept | {"annotations": {**(event.get("annotations") or {}), TRUNCATED: "true"}})


def _read(line: bytes) -> dict[str, Any]:
    try:
        event: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        # Text of a client that is no Unicode.
        event = json.loads(line)
    return event


class Truncating:
    """A backend that gets no event of more than `event_bytes_max`; those that can't be made smaller are counted as lost."""

    def __init__(self, inner: Backend, event_bytes_max: int, numbers: Numbers) -> None:
        self._inner = inner
        self._event_bytes_max = event_bytes_max
        self._errors = numbers.errors.labels("truncate")

    def put(self, line: bytes) -> None:
        if len(line) > self._event_bytes_max:
            line = truncated(line)
        if len(line) > self._event_bytes_max:
            self._errors.inc()
            log.warning("audit.too_large", size_bytes=len(line), limit_bytes=self._event_bytes_max)
            return
        self._inner.put(line)

    async def room(self) -> None:
        await self._inner.room()

    async def run(self) -> None:
        await self._inner.run()
