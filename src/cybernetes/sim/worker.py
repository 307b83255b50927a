"""Runs seeds, each in a process of its own that is forked from this one, where everything is imported already.

enters   one line of JSON a seed (Order)
leaves   one line of JSON a seed (scenario.Result), in the same order
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec

from cybernetes.sim.scenario import DEEDS, Result, make_database, memory_folder, simulate

# A run takes a second; one that takes so much of a processor's time will not end. How long it takes is the machine's
# matter: a busy one makes no seed fail.
RUN_LIMIT_S = 120.0
WARMING_SEED = 1


class Order(msgspec.Struct):
    """deeds: how much each user does. lines: whether the result has the transcript."""

    seed: int
    plant: str = ""
    deeds: int = DEEDS
    lines: bool = False


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cybernetes-sim-", dir=memory_folder()) as folder:
        database = make_database(Path(folder))
        # Whatever is imported, compiled or remembered at its first use is so before the first fork.
        simulate(WARMING_SEED, database)
        # Never collected, and so not copied by a child's collections either.
        gc.freeze()
        for line in sys.stdin.buffer:
            sys.stdout.buffer.write(run(msgspec.json.decode(line, type=Order), database) + b"\n")
            sys.stdout.buffer.flush()


def run(order: Order, database: Path) -> bytes:
    """The Result of one seed, as JSON."""
    text = _in_a_child(lambda: _result(order, database))
    if text:
        return text
    return msgspec.json.encode(
        Result(order.seed, "", 0.0, [f"the run ended without a result, or took {RUN_LIMIT_S:g} s of a processor"])
    )


def _result(order: Order, database: Path) -> bytes:
    result = simulate(order.seed, database, plant=order.plant, deeds=order.deeds)
    if not order.lines:
        result.lines = []
    return msgspec.json.encode(result)


def _in_a_child(work: Callable[[], bytes]) -> bytes:
    """What `work` returns, from a forked process; b"" when that died."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.setitimer(signal.ITIMER_PROF, RUN_LIMIT_S)
        # It lives for a second: to look for garbage costs more than to leave it.
        gc.disable()
        try:
            made = work()
            with open(writing, "wb") as pipe:
                pipe.write(made)
        except BaseException:
            traceback.print_exc()
        finally:
            # Nothing of the simulated cluster may clean up.
            sys.stderr.flush()
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


if __name__ == "__main__":
    main()
