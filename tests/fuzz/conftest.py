"""What clients send, made up: in CI a few hundred inputs each, with `make fuzz` as many as FUZZ_INPUTS says.

An input that takes HANG_S of processor time is a failure like any other, and is made small like any other.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import pytest
from hangs import HANG_S, at_most
from hypothesis import HealthCheck, settings

INPUTS = int(os.environ.get("FUZZ_INPUTS", "0"))
_ALL = list(HealthCheck)
settings.register_profile("fuzz-short", max_examples=150, deadline=None, derandomize=True, database=None)
settings.register_profile("fuzz-long", max_examples=INPUTS or 1, deadline=None, suppress_health_check=_ALL)
settings.load_profile("fuzz-long" if INPUTS else "fuzz-short")


def pytest_itemcollected(item: pytest.Item) -> None:
    test = getattr(item, "obj", None)
    if hasattr(test, "hypothesis"):
        test.hypothesis.inner_test = _watched(test.hypothesis.inner_test)


def _watched(test: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with at_most(HANG_S):
            test(*args, **kwargs)

    return run
