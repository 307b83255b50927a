"""Who is told of a process that ended, and until when."""

import asyncio
from collections.abc import Mapping
from typing import cast

from cybernetes.kubelet import exits
from cybernetes.kubelet.exits import Exits
from cybernetes.kubelet.worker import PodWorker


class _Clock:
    """Time passes by sleeping only."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


class _Worker:
    def __init__(self, process: str, looks: int) -> None:
        self._process = process
        self._looks = looks
        self.woken = 0

    @property
    def wake(self) -> "_Worker":
        return self

    def set(self) -> None:
        self.woken += 1

    def knows(self, process: str) -> bool:
        return process == self._process

    def has_seen_end(self, process: str) -> bool:
        return self.woken >= self._looks


def announce(workers: Mapping[str, _Worker], *processes: str) -> tuple[_Clock, int]:
    """The clock and the number of relists, after everything was chased."""
    clock, relists = _Clock(), 0

    def relist() -> None:
        nonlocal relists
        relists += 1

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            told = Exits(clock, group, cast(Mapping[str, PodWorker], workers), relist)  # type: ignore[arg-type]
            for each in processes:
                told.announce(each)

    asyncio.run(scenario())
    return clock, relists


def test_only_the_pod_whose_process_ended_looks_and_only_until_it_has_seen_it() -> None:
    pods = {"a": _Worker("1", looks=3), "b": _Worker("2", looks=1)}
    clock, relists = announce(pods, "1")
    assert (pods["a"].woken, pods["b"].woken, relists) == (3, 0, 0)
    assert clock.slept == [0.01, 0.02, 0.04]


def test_an_end_that_never_shows_is_left_to_the_next_relist() -> None:
    pods = {"a": _Worker("1", looks=1000)}
    clock, _ = announce(pods, "1")
    assert sum(clock.slept[:-1]) < exits.SHOWN_MAX_S <= sum(clock.slept)
    assert pods["a"].woken == len(clock.slept) < 20


def test_a_process_that_no_pod_has_makes_everything_be_looked_at() -> None:
    pods = {"a": _Worker("1", looks=1)}
    clock, relists = announce(pods, "3")
    assert relists == len(clock.slept)
    assert pods["a"].woken == 0


def test_one_end_that_is_announced_twice_is_chased_once() -> None:
    pods = {"a": _Worker("1", looks=2)}
    announce(pods, "1", "1")
    assert pods["a"].woken == 2
