"""The webhook backend: lists of events, sent to another server when enough came or enough time went by."""

from __future__ import annotations

import asyncio
import sys
from collections import deque

import msgspec

from cybernetes.apiserver.audit.numbers import Numbers
from cybernetes.apiserver.audit.throttle import Throttle
from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.wire.http.message import Request, Transport

log = Log("apiserver.audit")

# Tries of one list before it is given up, and by how much the pause grows; as upstream.
ATTEMPTS_MAX = 5
GROWTH = 1.5
# What a server that is told to stop spends on events that it has not sent yet.
FAREWELL_S = 5.0
SEND_TIMEOUT_S = 30.0
_HEAD, _TAIL = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[', b"]}"


class Batching(msgspec.Struct, frozen=True):
    """buffer_size: events that wait; more are dropped and counted. max_wait_s: how long one waits for more.

    max_size, max_bytes  of one list, in events and in bytes of events; a single event is sent whatever its size
    per_s, burst         lists a second in the long run, and at once after a pause; per_s 0 for as fast as they come
    """

    buffer_size: int = 10_000
    max_size: int = 400
    max_bytes: int = sys.maxsize
    per_s: float = 10.0
    burst: int = 15
    max_wait_s: float = 30.0
    initial_backoff_s: float = 10.0


class Webhook:
    """path  of the URL, behind the transport's host"""

    def __init__(
        self, transport: Transport, path: str, batching: Batching, numbers: Numbers, clock: Clock, random: Random
    ) -> None:
        self._transport = transport
        self._path = path or "/"
        self._batching = batching
        self._errors = numbers.errors.labels("webhook")
        self._clock = clock
        self._random = random
        self._throttle = Throttle(batching.per_s, batching.burst) if batching.per_s else None
        self._lines: deque[bytes] = deque()
        self._came = asyncio.Event()
        self._full = asyncio.Event()

    def put(self, line: bytes) -> None:
        if len(self._lines) >= self._batching.buffer_size:
            self._errors.inc()
            return
        self._lines.append(line)
        self._came.set()
        if len(self._lines) >= self._batching.max_size:
            self._full.set()

    async def room(self) -> None:
        return None

    async def run(self) -> None:
        try:
            while True:
                await self._came.wait()
                await self._enough()
                if self._throttle and (pause_s := self._throttle.pause_s(self._clock.monotonic())):
                    await self._clock.sleep(pause_s)
                await self._deliver(self._take())
        finally:
            await self._farewell()

    async def _enough(self) -> None:
        try:
            async with asyncio.timeout(self._batching.max_wait_s):
                await self._full.wait()
        except TimeoutError:
            return

    def _take(self) -> list[bytes]:
        taken: list[bytes] = []
        size = 0
        while self._lines and len(taken) < self._batching.max_size:
            size += len(self._lines[0])
            if taken and size > self._batching.max_bytes:
                # The rest was enough for a list before, and is one now.
                self._full.set()
                return taken
            taken.append(self._lines.popleft())
        if not self._lines:
            self._came.clear()
        if len(self._lines) < self._batching.max_size:
            self._full.clear()
        return taken

    async def _deliver(self, lines: list[bytes]) -> None:
        pause_s = self._batching.initial_backoff_s
        try:
            for attempt in range(1, ATTEMPTS_MAX + 1):
                wrong = await self._send(lines)
                if not wrong:
                    return
                if attempt == ATTEMPTS_MAX or wrong == "refused":
                    break
                await self._clock.sleep(self._random.jitter(pause_s, 0.2))
                pause_s *= GROWTH
        except asyncio.CancelledError:
            # Sent once more by the farewell, rather twice than never.
            self._lines.extendleft(reversed(lines))
            raise
        self._errors.inc(len(lines))
        log.warning("audit.lost", events=len(lines), why=wrong)

    async def _send(self, lines: list[bytes]) -> str:
        """What went wrong: "" when nothing did, "refused" when trying again is no use."""
        body = _HEAD + b",".join(line.rstrip(b"\n") for line in lines) + _TAIL
        request = Request("POST", self._path, headers={"content-type": "application/json"}, body=body)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                answer = await self._transport.send(request)
        except TimeoutError:
            return "no answer in time"
        except EdgeError as broken:
            return str(broken)
        if 200 <= answer.status < 300:
            return ""
        return f"answered {answer.status}" if answer.status == 429 or answer.status >= 500 else "refused"

    async def _farewell(self) -> None:
        try:
            async with asyncio.timeout(FAREWELL_S):
                while self._lines:
                    lines = self._take()
                    if await self._send(lines):
                        self._errors.inc(len(lines))
        except TimeoutError:
            self._errors.inc(len(self._lines))
        finally:
            await self._transport.close()
