"""Begins trails for the requests that the policy names, and hands their events to the backends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from cybernetes.apiserver.audit import event as events
from cybernetes.apiserver.audit.numbers import Numbers
from cybernetes.apiserver.audit.policy import NOTHING, Policy
from cybernetes.apiserver.audit.trail import Trail
from cybernetes.apiserver.request import RequestInfo
from cybernetes.auth.user import User
from cybernetes.base.clock import Clock
from cybernetes.wire.http.message import Request

Object = dict[str, Any]


class Backend(Protocol):
    def put(self, line: bytes) -> None:
        """Take one event, without waiting."""
        ...

    async def room(self) -> None:
        """Return once more events may come; a backend that rather drops them returns at once."""
        ...

    async def run(self) -> None:
        """Write what was put, until cancelled; then what is left."""
        ...


class Auditor:
    def __init__(self, policy: Policy, backends: Sequence[Backend], numbers: Numbers, clock: Clock) -> None:
        self._policy = policy
        self._backends = tuple(backends)
        self._clock = clock
        self.numbers = numbers

    async def begin(
        self, request: Request, info: RequestInfo, user: User | None, audit_id: str, received: float
    ) -> Trail | None:
        """The trail of a request; None where the policy wants none. Waits while a backend has no room."""
        treatment = self._policy.decide(user, info)
        if treatment is NOTHING:
            return None
        for each in self._backends:
            await each.room()
        event = events.start(request, info, user, treatment.level, audit_id)
        trail = Trail(event, treatment, received, self._send, self._clock)
        trail.received()
        if request.body and info.is_resource:
            trail.sent_object(events.request_object(request))
        return trail

    def _send(self, event: Object) -> None:
        self.numbers.events.inc()
        line = events.line(event)
        for each in self._backends:
            each.put(line)

    async def run(self) -> None:
        """Until cancelled; returns when everything that was put is written, or was given up."""
        async with asyncio.TaskGroup() as group:
            for each in self._backends:
                group.create_task(each.run(), name=f"audit.{type(each).__name__}")
