"""Every kernel gives what its plain twin gives, on random arrays and at the ends of each type."""

from __future__ import annotations

import copy
import inspect
import random
from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.native import score as twin

compiled = pytest.importorskip("cybernetes_native.score", reason="the kernels are not built")

KERNELS = [name for name, each in inspect.getmembers(twin, inspect.isfunction) if not name.startswith("_")]
LARGE = 92 * 10**15


class Draw:
    """Arguments for a kernel, chosen by the names of its parameters."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rows = self.random.choice((1, 2, 7, 64, 300))
        self.domains = self.random.choice((1, 2, 5, 40))
        self.resources = self.random.choice((1, 2, 3, 6))
        self.wants = self.random.randint(1, self.resources)
        self.stride = self.rows + self.random.choice((0, 3))
        self.allocatable = self.amounts(self.resources * self.stride)

    def ints(self, kind: str, count: int, low: int, high: int) -> array[int]:
        return array(kind, [self.random.randint(low, high) for _ in range(count)])

    def amounts(self, count: int) -> array[int]:
        high = self.random.choice((10, 10**6, LARGE))
        return array("q", [self.random.choice((0, 1, high, self.random.randint(0, high))) for _ in range(count)])

    def bools(self, count: int) -> array[int]:
        return self.ints("B", count, 0, 1)

    def argument(self, kernel: str, name: str) -> Any:
        rows, domains, wants, rng = self.rows, self.domains, self.wants, self.random
        match kernel, name:
            case "histogram", "counts":
                return array("i", bytes(4 * 256))
            case "bit_histogram", "counts":
                return array("i", bytes(4 * 32))
            case "add_by_table", "table":
                return self.ints("q", domains + 1, -100, 100)
            case "and_by_table", "table":
                return self.bools(domains + 1)
            case "normalize_range", "raw":
                return self.ints("q", rows, -(10**6), 10**6)
            case "place", "added":
                return array("i", range(self.resources))
            case "place", "added_amounts":
                return self.ints("q", self.resources, 1, 10**6)
            case "place", "scored" | "balanced":
                return array("i", rng.sample(range(self.resources), wants))
            case "place", "scored_amounts" | "balanced_amounts":
                return self.ints("q", wants, 0, 10**6)
            case "place", "chances":
                return self.ints("q", 5, 0, 10**9)
            case "place", "chosen":
                return array("i", [7] * 5)
            case "place", "extra" | "score" | "balance":
                return self.ints("q", rows, 0, 3)
            case "place", "bits":
                return self.ints("i", rows, 0, 1)
            case "place", "score_weight" | "balance_weight":
                return rng.randint(0, 3)
            case "balance_rows", "amounts":
                return self.ints("q", wants, 0, 10**6)
        match name:
            case "column":
                return self.ints("i", rows + rng.choice((0, 5)), -1, domains - 1)
            case "table":
                return self.ints("B", domains + 1, 0, 20)
            case "code":
                return array("B", [rng.choice((0, 0, 0, 1, 7, 8, 255)) for _ in range(rows)])
            case "mask" | "into" | "hard" | "eligible" | "counted":
                return self.bools(rows)
            case "present":
                return self.bools(domains + 1)
            case "counts":
                return self.ints("i", rows + 5, 0, 50)
            case "bits":
                return self.ints("i", rows, 0, 7)
            case "rows":
                return array("i", sorted(rng.sample(range(rows), rng.randint(0, rows))))
            case "wanted":
                return array("i", rng.sample(range(self.resources), wants))
            case "amounts":
                return self.ints("q", wants, 1, 10**6)
            case "weights":
                return self.ints("q", wants, 1, 100)
            case "allocatable":
                return self.allocatable
            case "used":
                return array("q", [rng.randint(0, each + 5) for each in self.allocatable])
            case "shape":
                points = sorted(rng.sample(range(101), rng.randint(1, 4)))
                return array("q", [value for at in points for value in (at, 10 * rng.randint(0, 10))])
            case "raw" | "source" | "out" | "total":
                return self.ints("q", rows, 0, rng.choice((1, 5, 10**6)))
            case "sums":
                return self.ints("q", domains + 1, 0, rng.choice((1, 5, 10**6)))
            case "acc":
                return array("d", [rng.uniform(0, 1000) for _ in range(rows)])
            case "stride":
                return self.stride
            case "mode":
                return rng.randint(0, 2)
            case "weight" if kernel.startswith("spread"):
                return rng.uniform(0.5, 9.0)
            case "constant":
                return float(rng.randint(0, 5))
            case "first" | "last":
                return {"first": 7, "last": 8}[name]
            case "offset" | "weight":
                return rng.randint(-100, 100)
            case "limit" | "n":
                return rng.randint(0, 5)
        # What is left are codes.
        return rng.randint(0, 20)


@pytest.mark.parametrize("name", KERNELS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_a_kernel_equals_its_twin(name: str, seed: int) -> None:
    draw = Draw(seed)
    plain = getattr(twin, name)
    arguments = [draw.argument(name, each) for each in inspect.signature(plain).parameters]
    others = copy.deepcopy(arguments)
    assert getattr(compiled, name)(*arguments) == plain(*others)
    assert arguments == others


def test_the_signatures_say_all_kernels() -> None:
    assert [name for name in KERNELS if not hasattr(compiled, name)] == []
    assert (compiled.LEAST, compiled.MOST, compiled.SHAPE) == (twin.LEAST, twin.MOST, twin.SHAPE)
