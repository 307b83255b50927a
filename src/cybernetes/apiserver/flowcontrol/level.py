"""One priority level: seats, and queues that share them fairly. Pure: the time comes in with each call.

Every queue has a virtual clock that runs by the seat-seconds which its requests used. The next request comes from the
queue that is behind most, so a flow that sends a hundred times as much waits a hundred times as long, and the others
don't notice. A queue that was empty begins at the level's own clock: nobody saves up for later.

source  KEP-1040, "Fair Queuing for Server Requests"
"""

from __future__ import annotations

from collections import deque
from typing import Any

from cybernetes.apiserver.flowcontrol.borrowing import DemandMeter
from cybernetes.apiserver.flowcontrol.settings import LevelSettings
from cybernetes.apiserver.flowcontrol.shuffle import hand

RUN, WAIT, QUEUE_FULL, NO_SEAT = "run", "wait", "queue-full", "concurrency-limit"
# What a request is taken to use before it is known: 3 ms of each seat.
ESTIMATED_S = 0.003


class Ticket:
    """A request at a level. running: whether it was let in. waiter: whatever the edge wakes then."""

    __slots__ = ("arrived", "distinguisher", "queue", "running", "schema", "seats", "started", "waiter", "what")

    def __init__(self, schema: str, distinguisher: str, seats: int, what: Any = None) -> None:
        self.schema = schema
        self.distinguisher = distinguisher
        self.seats = seats
        self.what = what
        self.queue: Queue | None = None
        self.running = False
        self.arrived = 0.0
        self.started = 0.0
        self.waiter: Any = None


class Queue:
    """virtual: seat-seconds up to which this queue was served, on the level's virtual clock."""

    __slots__ = ("index", "running", "running_seats", "virtual", "waiting", "waiting_seats")

    def __init__(self, index: int) -> None:
        self.index = index
        self.waiting: deque[Ticket] = deque()
        self.waiting_seats = 0
        self.running = 0
        self.running_seats = 0
        self.virtual = 0.0


class Level:
    """limit: seats that may be used now; the gate changes it as levels lend and borrow."""

    def __init__(self, settings: LevelSettings, limit: int, now: float) -> None:
        self.settings = settings
        self.limit = limit
        self.in_use = 0
        self.executing = 0
        self.waiting = 0
        self.meter = DemandMeter(now)
        self.queues = [Queue(i) for i in range(settings.queues)]
        self._virtual = 0.0
        self._virtual_at = now
        self._active = 0
        self._robin = 0

    @property
    def idle(self) -> bool:
        return not (self.executing or self.waiting)

    def arrive(self, ticket: Ticket, now: float) -> str:
        """RUN, WAIT, or why the request is refused."""
        ticket.arrived = now
        if self.settings.exempt:
            self._start(ticket, now)
            return RUN
        if not self.queues:
            if not self._has_room(ticket.seats):
                return NO_SEAT
            self._start(ticket, now)
            return RUN
        self._advance(now)
        ticket.queue = queue = self._choose(ticket)
        free = not self.waiting and self._has_room(ticket.seats)
        if not free and len(queue.waiting) >= self.settings.queue_length:
            return QUEUE_FULL
        if not queue.running and not queue.waiting:
            queue.virtual = self._virtual
            self._active += 1
        if free:
            self._start(ticket, now)
            return RUN
        queue.waiting.append(ticket)
        queue.waiting_seats += ticket.seats
        self.waiting += 1
        self.meter.change(ticket.seats, now)
        return WAIT

    def finish(self, ticket: Ticket, now: float) -> list[Ticket]:
        """The request was answered; those that may run in its place."""
        self.in_use -= ticket.seats
        self.executing -= 1
        self.meter.change(-ticket.seats, now)
        queue = ticket.queue
        if queue is None:
            return []
        self._advance(now)
        queue.running -= 1
        queue.running_seats -= ticket.seats
        queue.virtual += (now - ticket.started - ESTIMATED_S) * ticket.seats
        self._rest(queue)
        return self._dispatch(now) if self.waiting else []

    def leave(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request that waited gives up; those that may run because it stood in their way."""
        queue = ticket.queue
        assert queue is not None, "only requests in a queue can leave it"
        self._advance(now)
        queue.waiting.remove(ticket)
        queue.waiting_seats -= ticket.seats
        self.waiting -= 1
        self.meter.change(-ticket.seats, now)
        self._rest(queue)
        return self._dispatch(now)

    def resize(self, limit: int, now: float) -> list[Ticket]:
        """From now on so many seats; those that may run with more of them."""
        self._advance(now)
        self.limit = limit
        return self._dispatch(now)

    def configure(self, settings: LevelSettings, now: float) -> list[Ticket]:
        """Other settings; who waits keeps waiting in the order of arrival, in new queues where there are others."""
        before, self.settings = self.settings, settings
        if (before.queues, before.hand_size) == (settings.queues, settings.hand_size):
            return []
        waiting = sorted((each for queue in self.queues for each in queue.waiting), key=lambda each: each.arrived)
        self.queues = [Queue(i) for i in range(settings.queues)]
        self.waiting = self._active = 0
        self.meter.change(-sum(each.seats for each in waiting), now)
        started = []
        for each in waiting:
            arrived, each.queue = each.arrived, None
            outcome = self.arrive(each, now)
            each.arrived = arrived
            if outcome == WAIT:
                continue
            if outcome != RUN:
                # Nobody who was let in is sent away: where there are no queues any more, or full ones, it runs.
                each.queue = None
                self._start(each, now)
            started.append(each)
        return started

    def _choose(self, ticket: Ticket) -> Queue:
        """The shortest of the flow's queues."""
        settings, queues = self.settings, self.queues
        cards = hand(ticket.schema, ticket.distinguisher, settings.queues, settings.hand_size)
        if not self.executing and not self.waiting:
            return queues[cards[0]]
        best = queues[cards[0]]
        least = best.waiting_seats + best.running_seats
        for card in cards:
            queue = queues[card]
            seats = queue.waiting_seats + queue.running_seats
            if seats < least:
                best, least = queue, seats
        return best

    def _has_room(self, seats: int) -> bool:
        """A request that wants more than there is may run alone."""
        return self.in_use + seats <= self.limit or self.in_use == 0

    def _start(self, ticket: Ticket, now: float) -> None:
        ticket.running, ticket.started = True, now
        self.in_use += ticket.seats
        self.executing += 1
        self.meter.change(ticket.seats, now)
        queue = ticket.queue
        if queue is not None:
            queue.running += 1
            queue.running_seats += ticket.seats
            queue.virtual += ESTIMATED_S * ticket.seats

    def _dispatch(self, now: float) -> list[Ticket]:
        started = []
        while self.waiting:
            queue = self._most_behind()
            ticket = queue.waiting[0]
            if not self._has_room(ticket.seats):
                break
            queue.waiting.popleft()
            queue.waiting_seats -= ticket.seats
            self.waiting -= 1
            self._robin = queue.index + 1
            self.meter.change(-ticket.seats, now)
            self._start(ticket, now)
            started.append(ticket)
        return started

    def _most_behind(self) -> Queue:
        """The queue whose next request would be done first; among equals, in turns."""
        count, robin = len(self.queues), self._robin

        def finish(queue: Queue) -> tuple[float, int]:
            return queue.virtual + ESTIMATED_S * queue.waiting[0].seats, (queue.index - robin) % count

        return min((each for each in self.queues if each.waiting), key=finish)

    def _advance(self, now: float) -> None:
        """The level's clock: as fast as each queue would be served if all had the same."""
        if self._active:
            demand = self.meter.demand
            rate = (demand if demand < self.limit else self.limit) / self._active
            self._virtual += (now - self._virtual_at) * rate
        self._virtual_at = now

    def _rest(self, queue: Queue) -> None:
        """Of a queue that has nothing more the clock knows nothing; those of settings before are not counted."""
        if queue.running or queue.waiting:
            return
        if queue.index < len(self.queues) and self.queues[queue.index] is queue:
            self._active -= 1
