"""Runs many seeds, each twice under different hash seeds, on all processors, and compares."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from types import TracebackType

import msgspec

from cybernetes.sim.scenario import Result
from cybernetes.sim.worker import Order

HASH_SEEDS = ("1", "2")

# A finished seed: both results, the second under another hash seed.
Done = Callable[[Result, Result], None]


class Worker:
    """A worker process. One order at a time."""

    def __init__(self, hash_seed: str) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "cybernetes.sim.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )

    def send(self, order: Order) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()

    def receive(self) -> Result:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a worker of the simulation died; its error is above")
        return msgspec.json.decode(line, type=Result)

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Pair:
    """Two workers, one for each hash seed, that run the same seeds at the same time."""

    def __init__(self) -> None:
        self._workers = [Worker(each) for each in HASH_SEEDS]

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self._workers:
            worker.stop()

    def run(self, order: Order) -> tuple[Result, Result]:
        for worker in self._workers:
            worker.send(order)
        first, second = (worker.receive() for worker in self._workers)
        return first, second


def run(orders: Sequence[Order], jobs: int, done: Done) -> None:
    """Run all; `done` is called for each, in any order, never twice at a time."""
    waiting: queue.SimpleQueue[Order] = queue.SimpleQueue()
    for order in orders:
        waiting.put(order)
    one_at_a_time = threading.Lock()

    def work() -> None:
        with Pair() as pair:
            while not waiting.empty():
                try:
                    order = waiting.get_nowait()
                except queue.Empty:
                    return
                results = pair.run(order)
                with one_at_a_time:
                    done(*results)

    threads = [threading.Thread(target=work, name=f"pair-{n}") for n in range(max(1, jobs // len(HASH_SEEDS)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def difference(first: Sequence[str], second: Sequence[str]) -> Iterator[str]:
    """The first place where two transcripts part, with what came before."""
    for at, (left, right) in enumerate(zip_longest(first, second, fillvalue="(end)")):
        if left != right:
            yield from (f"  {each}" for each in first[max(0, at - 5) : at])
            yield f"- {left}"
            yield f"+ {right}"
            return
