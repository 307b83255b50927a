"""A seed that does not end is given up; one that a busy machine holds up is not."""

from __future__ import annotations

import time

import pytest

from cybernetes.sim import worker


def test_a_run_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RUN_LIMIT_S", 0.05)

    def endless() -> bytes:
        while True:
            pass

    assert worker._in_a_child(endless) == b""


def test_a_run_that_had_to_wait_for_its_turn_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RUN_LIMIT_S", 0.2)

    def held_up() -> bytes:
        time.sleep(0.5)
        return b"done"

    assert worker._in_a_child(held_up) == b"done"
