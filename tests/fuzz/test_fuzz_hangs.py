"""The watch over every fuzzed input notices one that never ends."""

from __future__ import annotations

import itertools

import pytest
from hangs import Hang, at_most


def test_an_input_that_never_ends_is_a_failure() -> None:
    with pytest.raises(Hang), at_most(0.05):
        for _ in itertools.count():
            pass


def test_an_input_that_ends_leaves_no_watch_behind() -> None:
    with at_most(0.05):
        pass
    assert sum(range(3_000_000)) > 0
