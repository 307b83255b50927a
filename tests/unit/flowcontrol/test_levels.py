"""One level: seats, fair queues, who is refused."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cybernetes.apiserver.flowcontrol.level import NO_SEAT, QUEUE_FULL, RUN, WAIT, Level, Ticket
from cybernetes.apiserver.flowcontrol.settings import LevelSettings
from cybernetes.apiserver.flowcontrol.shuffle import hand

QUEUED = LevelSettings("work", queues=64, hand_size=4, queue_length=50)


def arrive(level: Level, flow: str, now: float, seats: int = 1) -> tuple[Ticket, str]:
    ticket = Ticket("schema", flow, seats)
    return ticket, level.arrive(ticket, now)


def test_requests_run_while_there_are_seats_and_wait_then() -> None:
    level = Level(QUEUED, 2, 0.0)
    (first, one), (_, two), (third, three) = (arrive(level, "ann", 0.0) for _ in range(3))
    assert (one, two, three) == (RUN, RUN, WAIT)
    assert level.finish(first, 1.0) == [third]
    assert (level.in_use, level.waiting) == (2, 0)


def test_a_full_queue_and_a_level_without_queues_refuse() -> None:
    level = Level(msgspec.structs.replace(QUEUED, queues=1, hand_size=1, queue_length=2), 1, 0.0)
    assert [arrive(level, "ann", 0.0)[1] for _ in range(4)] == [RUN, WAIT, WAIT, QUEUE_FULL]
    rejecting = Level(LevelSettings("catch-all"), 1, 0.0)
    assert [arrive(rejecting, "ann", 0.0)[1] for _ in range(2)] == [RUN, NO_SEAT]


def test_exempt_requests_always_run() -> None:
    level = Level(LevelSettings("exempt", exempt=True), 0, 0.0)
    assert {arrive(level, "root", 0.0)[1] for _ in range(100)} == {RUN}


def test_a_request_that_wants_more_than_there_is_runs_alone() -> None:
    level = Level(QUEUED, 4, 0.0)
    big, outcome = arrive(level, "ann", 0.0, seats=10)
    assert outcome == RUN
    small, outcome = arrive(level, "bob", 0.0)
    assert outcome == WAIT
    assert level.finish(big, 1.0) == [small]


def test_a_flow_that_sends_much_does_not_starve_another() -> None:
    """An elephant fills all four queues of its hand, a mouse has one request at a time: every fifth seat is its own."""
    level = Level(QUEUED, 1, 0.0)
    now, served = 0.0, Counter[str]()
    running, _ = arrive(level, "elephant", now)
    for _ in range(40):
        arrive(level, "elephant", now)
    arrive(level, "mouse", now)
    for _ in range(30):
        now += 0.1
        (running,) = level.finish(running, now)
        served[running.distinguisher] += 1
        arrive(level, running.distinguisher, now)
    assert served["mouse"] >= 6, served


def test_nobody_saves_up_by_being_away() -> None:
    level = Level(QUEUED, 1, 0.0)
    running, _ = arrive(level, "steady", 0.0)
    for _ in range(20):
        arrive(level, "steady", 0.0)
    now = 0.0
    for _ in range(10):
        now += 0.1
        (running,) = level.finish(running, now)
    for _ in range(20):
        arrive(level, "late", now)
    order = []
    for _ in range(10):
        now += 0.1
        (running,) = level.finish(running, now)
        order.append(running.distinguisher)
    assert 4 <= order.count("late") <= 6, order


def test_more_seats_let_more_run_and_other_queues_keep_who_waits() -> None:
    level = Level(QUEUED, 1, 0.0)
    first, _ = arrive(level, "ann", 0.0)
    waiting = [arrive(level, f"user-{n}", 0.1 * n)[0] for n in range(5)]
    assert len(level.resize(3, 1.0)) == 2
    assert level.configure(msgspec.structs.replace(QUEUED, queues=8), 1.0) == []
    assert level.waiting == 3
    started = level.configure(LevelSettings("work"), 2.0)
    assert len(started) == 3 and all(each.running for each in waiting), "nobody who was let in is sent away"
    for each in (first, *waiting):
        level.finish(each, 3.0)
    assert level.idle and level.in_use == 0


def test_a_request_that_gives_up_stands_in_nobodys_way() -> None:
    level = Level(QUEUED, 2, 0.0)
    one, _ = arrive(level, "ann", 0.0)
    big, outcome = arrive(level, "bob", 0.0, seats=2)
    assert outcome == WAIT
    small, outcome = arrive(level, "eve", 0.0)
    assert outcome == WAIT, "it came later, and nobody is overtaken"
    assert level.leave(big, 1.0) == [small]
    level.finish(one, 2.0)
    level.finish(small, 2.0)
    assert level.idle


@given(st.text(max_size=20), st.integers(1, 128), st.integers(1, 8))
def test_a_hand_has_different_queues_and_stays(flow: str, queues: int, size: int) -> None:
    dealt = hand("schema", flow, queues, size)
    assert len(set(dealt)) == len(dealt) == min(size, queues)
    assert all(0 <= each < queues for each in dealt)
    assert dealt == hand("schema", flow, queues, size)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.booleans()), max_size=60), st.integers(1, 5))
def test_seats_and_requests_add_up_whatever_happens(steps: list[tuple[str, int, bool]], limit: int) -> None:
    level, now = Level(msgspec.structs.replace(QUEUED, queues=4, hand_size=2, queue_length=3), limit, 0.0), 0.0
    running: list[Ticket] = []
    waiting: list[Ticket] = []
    for flow, seats, finishes in steps:
        now += 0.01
        if finishes and running:
            started = level.finish(running.pop(0), now)
        elif finishes and waiting:
            started = level.leave(waiting.pop(), now)
        else:
            ticket, outcome = arrive(level, flow, now, seats)
            started = [ticket] if outcome == RUN else []
            waiting += [ticket] if outcome == WAIT else []
        running += started
        waiting = [each for each in waiting if each not in started]
        assert level.in_use == sum(each.seats for each in running)
        assert (level.executing, level.waiting) == (len(running), len(waiting))
        assert level.in_use <= limit or len(running) == 1
        assert not waiting or running, "nobody waits while nothing runs"
