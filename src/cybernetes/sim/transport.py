"""The network between components and the API server: late, lossy, cut, from a seed.

enters   Requests of one client; faults
leaves   Responses, watch streams; EdgeError NOT_DONE where the request can't have arrived, else UNKNOWN
holds    bytes of one stream stay in order; two requests of one client may overtake each other; what a server
         does with a request goes on when its client is gone
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextvars import Context
from typing import Any

from cybernetes.auth.user import User
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.base.random import Random
from cybernetes.sim.loop import OWNER, Owner
from cybernetes.sim.transcript import Transcript
from cybernetes.wire.http.message import Request, Response

# As the real transport waits for a connection.
CONNECT_TIMEOUT_S = 10.0
# Frames that the server may be ahead of a client; then it waits, as it does for a full socket.
AHEAD_MAX = 512

# Called for every request that reached the server, and for its answer.
Seen = Callable[[User, Request, Response | None], None]


class Network:
    """delay_s: usual one-way time. loss_per_mille: of requests and of answers. cut: machines without a network."""

    def __init__(self, random: Random, transcript: Transcript) -> None:
        self.random = random
        self.transcript = transcript
        self.delay_s = 0.001
        self.loss_per_mille = 0
        self.cut: dict[str, None] = {}
        self.streams: dict[Stream, None] = {}
        self._healed: asyncio.Future[None] | None = None

    def delay(self) -> float:
        # Mostly short, now and then ten times as long, so that requests overtake each other.
        share, drawn = divmod(self.random.below(16_000), 16)
        return self.delay_s * (1 if drawn else 10) * (1 + share) / 1000

    def loses(self) -> bool:
        return self.loss_per_mille > 0 and self.random.below(1000) < self.loss_per_mille

    def cut_off(self, machine: str) -> None:
        self.cut[machine] = None

    def heal(self, machine: str) -> None:
        """Streams of that machine go on, or were given up by one side meanwhile."""
        self.cut.pop(machine, None)
        for stream in list(self.streams):
            if stream.machine == machine and self.random.below(2):
                stream.sever("connection reset")
        if self._healed is not None and not self._healed.done():
            self._healed.set_result(None)
        self._healed = None

    async def connected(self, machine: str, timeout_s: float) -> bool:
        """Wait until the machine has a network again; False after `timeout_s` without one."""
        if machine not in self.cut:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                while machine in self.cut:
                    if self._healed is None:
                        self._healed = asyncio.get_running_loop().create_future()
                    await asyncio.shield(self._healed)
        except TimeoutError:
            return False
        return True

    def sever_some(self, share: int) -> int:
        """Cut one of `share` open watch streams; how many."""
        chosen = [each for each in self.streams if self.random.below(share) == 0]
        for stream in chosen:
            stream.sever("connection reset")
        return len(chosen)

    def forget(self, owner: Owner) -> None:
        """A client died: its system closes its connections."""
        for stream in [each for each in self.streams if each.owner is owner]:
            stream.close()


class Door:
    """Where requests arrive. `open` while a server listens; what it works on ends with it."""

    def __init__(self, seen: Seen) -> None:
        self._handle: Any = None
        self._context: Context | None = None
        self._seen = seen
        self._answers: dict[asyncio.Future[Response], None] = {}
        self._streams: dict[Stream, None] = {}

    @property
    def listening(self) -> bool:
        return self._handle is not None

    def open(self, handle_as: Any, context: Context) -> None:
        self._handle, self._context = handle_as, context

    def close(self) -> None:
        """The server is gone: whoever waits for it hears of a reset connection."""
        self._handle = None
        answers, self._answers = self._answers, {}
        for answer in answers:
            if not answer.done():
                answer.set_exception(EdgeError("send", "request", "connection reset", outcome=Outcome.UNKNOWN))
        streams, self._streams = self._streams, {}
        for stream in streams:
            stream.sever("connection reset")

    def inside(self, work: Coroutine[Any, Any, None]) -> None:
        """Let the server do something by itself; nothing when there is none."""
        if self._context is None or self._handle is None:
            work.close()
            return
        asyncio.get_running_loop().create_task(work, name="inside", context=self._context.copy())

    def enter(self, user: User, request: Request) -> asyncio.Future[Response]:
        """Raises EdgeError NOT_DONE when nobody listens."""
        if self._context is None or self._handle is None:
            raise EdgeError(request.method, request.path, "connection refused", outcome=Outcome.NOT_DONE)
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._answers[answer] = None
        context = self._context.copy()
        work = context.run(self._answer, user, request, answer)
        asyncio.get_running_loop().create_task(work, name="request", context=context)
        return answer

    async def _answer(self, user: User, request: Request, answer: asyncio.Future[Response]) -> None:
        self._seen(user, request, None)
        response = await self._handle(user, request)
        self._seen(user, request, response)
        self._answers.pop(answer, None)
        if not answer.done():
            answer.set_result(response)

    def attach(self, stream: Stream) -> None:
        if self._context is None or self._handle is None:
            stream.sever("connection reset")
            return
        self._streams[stream] = None
        context = self._context.copy()
        asyncio.get_running_loop().create_task(stream.pump(), name="stream", context=context)

    def detach(self, stream: Stream) -> None:
        self._streams.pop(stream, None)


class Stream:
    """One watch's way to its client: chunks in order, each late by its own time."""

    def __init__(self, network: Network, door: Door, machine: str, body: AsyncIterator[bytes]) -> None:
        self.machine = machine
        self.owner = OWNER.get()
        self._network = network
        self._door = door
        self._body: Any = body
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._due = 0.0
        self._ended = False
        self._failure = ""
        self._closed = False
        self._reading: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        network.streams[self] = None

    async def pump(self) -> None:
        """The server's side; ends when either side does."""
        try:
            async for chunk in self._body:
                while len(self._chunks) >= AHEAD_MAX and not self._over:
                    self._room = self._loop.create_future()
                    await self._room
                if self._over:
                    break
                self._due = max(self._due, self._loop.time() + self._network.delay())
                self._chunks.append((self._due, chunk))
                _wake(self._reading)
            self._ended = True
        except EdgeError:
            # The server can't go on with it; its HTTP side would break the connection off.
            self.sever("connection reset")
        finally:
            await _close(self._body)
            self._door.detach(self)
            _wake(self._reading)

    @property
    def _over(self) -> bool:
        return self._closed or bool(self._failure)

    def sever(self, why: str) -> None:
        """What is on its way is lost; both sides hear of it."""
        self._failure = self._failure or why
        _wake(self._reading)
        _wake(self._room)

    def close(self) -> None:
        """The client went away. The server hears of it at its next write."""
        self._closed = True
        self._network.streams.pop(self, None)
        _wake(self._room)

    async def read(self) -> AsyncIterator[bytes]:
        """The client's side."""
        try:
            while True:
                if self._failure:
                    raise EdgeError("read", "stream", self._failure)
                if self._chunks:
                    yield await self._next()
                elif self._ended:
                    return
                else:
                    self._reading = self._loop.create_future()
                    await self._reading
        finally:
            self.close()

    async def _next(self) -> bytes:
        due, chunk = self._chunks.popleft()
        _wake(self._room)
        wait_s = due - self._loop.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        while self.machine in self._network.cut and not self._failure:
            await self._network.connected(self.machine, 1000.0)
        if self._failure:
            raise EdgeError("read", "stream", self._failure)
        return chunk


class SimTransport:
    """One client's way to the API servers; each request goes to any of those that listen.

    watch   wraps the chunks of a watch, to look at them or to harm them
    """

    def __init__(
        self,
        network: Network,
        doors: Sequence[Door],
        machine: str,
        user: User,
        watch: Callable[[Request, AsyncIterator[bytes]], AsyncIterator[bytes]],
    ) -> None:
        self._network = network
        self._doors = doors
        self._machine = machine
        self._user = user
        self._watch = watch

    async def send(self, request: Request) -> Response:
        network = self._network
        if not await network.connected(self._machine, CONNECT_TIMEOUT_S):
            raise _lost(request, "connection timed out", Outcome.NOT_DONE)
        await asyncio.sleep(network.delay())
        if network.loses():
            # A pooled connection that breaks while sending tells nothing; a new one that is refused does.
            outcome = (Outcome.UNKNOWN, Outcome.NOT_DONE)[network.random.below(2)]
            raise _lost(request, "request lost", outcome)
        door = self._drawn()
        response = await door.enter(self._user, request)
        await asyncio.sleep(network.delay())
        if network.loses() or not await network.connected(self._machine, CONNECT_TIMEOUT_S):
            await _close(response.body)
            raise _lost(request, "answer lost", Outcome.UNKNOWN)
        if not isinstance(response.body, bytes):
            stream = Stream(network, door, self._machine, response.body)
            door.attach(stream)
            response.body = self._watch(request, stream.read())
        return response

    def _drawn(self) -> Door:
        listening = [each for each in self._doors if each.listening] or self._doors
        return listening[self._network.random.below(len(listening)) if len(listening) > 1 else 0]

    async def close(self) -> None:
        return None


def _lost(request: Request, why: str, outcome: Outcome) -> EdgeError:
    return EdgeError(request.method, request.path, why, outcome=outcome)


async def _close(body: bytes | AsyncIterator[bytes]) -> None:
    """Not all that is read piece by piece has anything to close."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
