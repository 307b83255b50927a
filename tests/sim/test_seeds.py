"""A few clusters that are harmed and must keep their promises; `make sim` runs hundreds."""

from __future__ import annotations

import pytest

from cybernetes.sim.plants import NAMES
from cybernetes.sim.runner import Pair
from cybernetes.sim.worker import Order

# 0: the disk fails, the server is killed within a commit; 5: history is forgotten, the network loses answers, the
# server loses its power; 10: a job by the minute is replaced; 12: two API servers; 15: components die at their own
# requests; 17: nodes lose their power, and are full; 32: the disk is full.
SEEDS = (0, 5, 10, 12, 15, 17, 32)
# How many seeds a bug may need to be found.
TRIES = {"bind-without-precondition": 8, "ack-before-fsync": 8, "watch-drops-event": 4, "double-start": 4}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_harmed_cluster_keeps_its_promises_and_settles(pair: Pair, seed: int) -> None:
    first, second = pair.run(Order(seed, lines=True))
    assert first.violations == []
    assert first.lines[-1].endswith(" settled")
    assert first.lines == second.lines
    assert first.digest == second.digest


@pytest.mark.parametrize("plant", NAMES)
def test_a_planted_bug_is_found(pair: Pair, plant: str) -> None:
    found = (pair.run(Order(seed, plant))[0].violations for seed in range(TRIES[plant]))
    assert any(found)
