"""The webhook of the audit log: batches, tries, a buffer with an end."""

import asyncio
import json

import pytest

from cybernetes.apiserver.audit.numbers import Numbers
from cybernetes.apiserver.audit.webhook import Batching, Webhook
from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SeededRandom
from cybernetes.wire.http.message import Response


class Collector:
    """A server that answers with the given codes, then 200; 0 for no answer."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.lists: list[list[int]] = []
        self.asked = asyncio.Event()

    async def send(self, request):
        code = self.codes.pop(0) if self.codes else 200
        self.asked.set()
        if not code:
            raise EdgeError("POST", "hook", "connection refused")
        if code == 200:
            body = json.loads(request.body)
            assert (body["kind"], body["apiVersion"]) == ("EventList", "audit.k8s.io/v1")
            self.lists.append([each["n"] for each in body["items"]])
        return Response(code)

    async def close(self):
        return None


class Hurried:
    """A clock whose pauses are over at once."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def monotonic(self):
        return sum(self.pauses)

    async def sleep(self, seconds):
        self.pauses.append(seconds)
        await asyncio.sleep(0)


def events(*numbers: int) -> list[bytes]:
    return [json.dumps({"n": n}).encode() + b"\n" for n in numbers]


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0)


def lost(numbers: Numbers) -> float:
    return sum(s.value for m in numbers.collect() for s in m.samples if s.name == "apiserver_audit_error_total")


def scenario(collector_codes, batching, act):
    async def go():
        collector, numbers, clock = Collector(*collector_codes), Numbers(), Hurried()
        hook = Webhook(collector, "/audit", batching, numbers, clock, SeededRandom(1))
        task = asyncio.create_task(hook.run())
        try:
            await asyncio.sleep(0)
            await act(hook, collector, numbers, clock)
        finally:
            task.cancel()
            await asyncio.wait((task,))
        return collector, numbers

    return asyncio.run(go())


def test_a_full_list_is_sent_without_waiting():
    async def act(hook, collector, numbers, clock):
        for line in events(1, 2, 3):
            hook.put(line)
        await until(lambda: collector.lists == [[1, 2]])

    collector, _ = scenario((), Batching(max_size=2, max_wait_s=3600), act)
    assert collector.lists == [[1, 2], [3]], "the rest is sent when the server stops"


@pytest.mark.parametrize("code", [0, 429, 500, 503])
def test_a_server_that_fails_is_asked_again(code):
    async def act(hook, collector, numbers, clock):
        hook.put(events(1)[0])
        await until(lambda: collector.lists == [[1]])
        assert clock.pauses[0] >= 10 and clock.pauses[1] > clock.pauses[0]

    _, numbers = scenario((code, code), Batching(max_size=1), act)
    assert lost(numbers) == 0


def test_a_list_that_is_refused_is_not_sent_again():
    async def act(hook, collector, numbers, clock):
        hook.put(events(1)[0])
        await until(lambda: lost(numbers) == 1)
        hook.put(events(2)[0])
        await until(lambda: collector.lists == [[2]])
        assert clock.pauses == []

    scenario((400,), Batching(max_size=1), act)


def test_after_some_tries_a_list_is_given_up_and_counted():
    async def act(hook, collector, numbers, clock):
        for line in events(1, 2):
            hook.put(line)
        await until(lambda: lost(numbers) == 2)
        assert len(clock.pauses) == 4

    scenario((500,) * 5, Batching(max_size=2), act)


def test_a_full_buffer_drops_the_newest_and_counts_it():
    async def act(hook, collector, numbers, clock):
        for line in events(1, 2, 3, 4):
            hook.put(line)
        assert lost(numbers) == 2

    collector, _ = scenario((), Batching(buffer_size=2, max_size=10, max_wait_s=3600), act)
    assert collector.lists == [[1, 2]]


def test_a_list_has_no_more_bytes_than_allowed_but_always_an_event():
    async def act(hook, collector, numbers, clock):
        for line in events(1, 2, 3, 1234567890123456789012345678901234567890, 5):
            hook.put(line)
        await until(lambda: len(collector.lists) == 4)

    two = sum(map(len, events(1, 2)))
    collector, _ = scenario((), Batching(max_size=5, max_bytes=two, max_wait_s=3600), act)
    assert collector.lists == [[1, 2], [3], [1234567890123456789012345678901234567890], [5]]


def test_after_a_burst_lists_go_out_at_a_steady_rate():
    async def act(hook, collector, numbers, clock):
        for line in events(*range(6)):
            hook.put(line)
        await until(lambda: len(collector.lists) == 6)
        assert clock.pauses == pytest.approx([0.5, 0.5, 0.5])

    scenario((), Batching(max_size=1, per_s=2.0, burst=3), act)
