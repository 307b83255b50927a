"""One pair of workers for all tests: they import once, and run each seed in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cybernetes.sim.runner import Pair


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    with Pair() as running:
        yield running
