"""The edge: requests pass here, wait here, or are turned away here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from cybernetes.apiserver import respond
from cybernetes.apiserver.cache.lister import Lister
from cybernetes.apiserver.flowcontrol import borrowing, matching, seats, settings
from cybernetes.apiserver.flowcontrol.level import RUN, WAIT, Level, Ticket
from cybernetes.apiserver.flowcontrol.matching import Classifier
from cybernetes.apiserver.flowcontrol.numbers import Numbers
from cybernetes.apiserver.flowcontrol.settings import LevelSettings
from cybernetes.apiserver.request import RequestInfo
from cybernetes.base.clock import Clock
from cybernetes.base.log import Log
from cybernetes.model import fairness
from cybernetes.wire.http.message import Request, Response

log = Log("apiserver.fairness")

Object = dict[str, Any]
GROUP, SCHEMAS, LEVELS = "flowcontrol.apiserver.k8s.io", "flowschemas", "prioritylevelconfigurations"
# A request that waited a quarter of its time limit has little left to be answered in.
WAIT_MAX_S = 15.0
RETRY_MAX_S = 32
# Refusals in a second from which on clients are asked to stay away longer, and less long again.
MANY_REFUSALS, FEW_REFUSALS = 15, 5
FLOW_SCHEMA_UID, LEVEL_UID = "X-Kubernetes-PF-FlowSchema-UID", "X-Kubernetes-PF-PriorityLevel-UID"
TOO_MANY = "Too many requests, please try again later.\n"


class RetryAfter:
    """Seconds after which clients of a level should come again: doubled while many are refused."""

    def __init__(self) -> None:
        self.seconds = 1
        self._until = 0.0
        self._refused = 0

    def refused(self, now: float) -> int:
        if now >= self._until:
            if self._refused >= self.seconds * MANY_REFUSALS:
                self.seconds = min(self.seconds * 2, RETRY_MAX_S)
            elif self._refused < self.seconds * FEW_REFUSALS and self.seconds > 1:
                self.seconds -= 1
            self._refused, self._until = 0, now + self.seconds
        self._refused += 1
        return self.seconds


class Gate:
    """seats: of the whole server. `counted(info)`: how many objects of the request's resource are stored."""

    def __init__(self, clock: Clock, total: int, counted: Callable[[RequestInfo], int]) -> None:
        self._clock = clock
        self._total = total
        self._counted = counted
        self._schemas: dict[str, Object] = {}
        self._configured: dict[str, Object] = {}
        self._stale = True
        self.levels: dict[str, Level] = {}
        self.seats: dict[str, settings.Seats] = {}
        self._smooth: dict[str, float] = {}
        self._retry: dict[str, RetryAfter] = {}
        self._classifier = Classifier(())
        self.numbers = Numbers()

    def follow(self, lister: Lister) -> None:
        lister.subscribe_specs(GROUP, SCHEMAS, lambda old, new: self._changed(self._schemas, old, new))
        lister.subscribe_specs(GROUP, LEVELS, lambda old, new: self._changed(self._configured, old, new))

    async def run(self) -> None:
        """Lend and borrow until cancelled."""
        while True:
            await self._clock.sleep(borrowing.EVERY_S)
            self.rebalance()

    async def admit(
        self,
        request: Request,
        info: RequestInfo,
        user: Any,
        headers: list[tuple[str, str]],
        following: Callable[[], Awaitable[Response]],
    ) -> Response:
        """Answer when it is this request's turn. headers: of the answer, or of the failure; which level it was goes there."""
        if self._stale:
            self._load()
        schema = self._classifier.classify(user, info)
        if schema is None:
            return await following()
        level = self.levels[schema.level]
        headers.append((FLOW_SCHEMA_UID, schema.uid))
        headers.append((LEVEL_UID, level.settings.uid))
        ticket = Ticket(schema.name, matching.distinguisher(schema, user, info), 1, info)
        if info.verb in ("list", "watch"):
            ticket.seats = seats.estimate(request, info, self._counted(info), self.seats[schema.level].nominal)
        tally = self.numbers.of(schema.level, schema.name)
        clock = self._clock
        outcome = level.arrive(ticket, clock.monotonic())
        if outcome == WAIT:
            tally.queued += 1
            try:
                outcome = await self._wait(level, ticket)
            finally:
                tally.queued -= 1
                tally.waits[outcome == RUN].add(clock.monotonic() - ticket.arrived)
        if outcome != RUN:
            tally.rejected[outcome] = tally.rejected.get(outcome, 0) + 1
            return self._refusal(level)
        tally.dispatched += 1
        tally.executing += 1
        tally.seats += ticket.seats
        try:
            return await following()
        finally:
            tally.executing -= 1
            tally.seats -= ticket.seats
            now = clock.monotonic()
            tally.executions.add(now - ticket.started)
            _wake(level.finish(ticket, now))

    async def _wait(self, level: Level, ticket: Ticket) -> str:
        ticket.waiter = waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                await waiter
            return RUN
        except TimeoutError:
            return RUN if self._was_let_in(level, ticket) else "time-out"
        except asyncio.CancelledError:
            # The client went away; what was given to it in this very moment is given back.
            if self._was_let_in(level, ticket):
                _wake(level.finish(ticket, self._clock.monotonic()))
            raise

    def _was_let_in(self, level: Level, ticket: Ticket) -> bool:
        """Whether it runs since this very moment; else it leaves the queue."""
        if not ticket.running:
            _wake(level.leave(ticket, self._clock.monotonic()))
        return ticket.running

    def _refusal(self, level: Level) -> Response:
        retry = self._retry.setdefault(level.settings.name, RetryAfter())
        response = respond.text(429, TOO_MANY)
        response.headers.append(("Retry-After", str(retry.refused(self._clock.monotonic()))))
        return response

    def _changed(self, kept: dict[str, Object], old: Object | None, new: Object | None) -> None:
        if new is not None:
            kept[new["metadata"]["name"]] = new
        elif old is not None:
            kept.pop(old["metadata"]["name"], None)
        self._stale = True

    def _load(self) -> None:
        """Take over what the objects say; the mandatory ones are there whether they are stored or not."""
        self._stale = False
        wanted = {each.name: each for each in map(settings.read, _with_mandatory(fairness.levels(), self._configured))}
        self.seats = dict(settings.seats(wanted.values(), self._total))
        now = self._clock.monotonic()
        levels = {name: self._level(each, now) for name, each in wanted.items()}
        # A level that is gone lets those finish that are in it; nobody new finds it.
        self.levels = levels
        schemas = map(matching.read, _with_mandatory(fairness.schemas(), self._schemas))
        self._classifier = Classifier(each for each in schemas if each.level in levels)

    def _level(self, wanted: LevelSettings, now: float) -> Level:
        level, nominal = self.levels.get(wanted.name), self.seats[wanted.name].nominal
        if level is None:
            return Level(wanted, nominal, now)
        _wake(level.configure(wanted, now))
        bounds = self.seats[wanted.name]
        _wake(level.resize(min(max(level.limit, bounds.minimum), bounds.maximum), now))
        return level

    def rebalance(self) -> None:
        """Lend seats that nobody wants to those who do."""
        now, wishes = self._clock.monotonic(), {}
        for name, level in self.levels.items():
            demand = level.meter.take(now)
            self._smooth[name] = borrowing.smoothed(self._smooth.get(name, 0.0), demand)
            wishes[name] = borrowing.Wish(self.seats[name], demand.high, self._smooth[name])
        for name, limit in borrowing.allocate(wishes, self._total).items():
            _wake(self.levels[name].resize(limit, now))


def _with_mandatory(built_in: list[Object], stored: dict[str, Object]) -> Iterable[Object]:
    mandatory = {each["metadata"]["name"]: each for each in built_in if each["metadata"]["name"] in fairness.MANDATORY}
    return {**mandatory, **stored}.values()


def _wake(started: list[Ticket]) -> None:
    for each in started:
        if not each.waiter.done():
            each.waiter.set_result(None)
