"""What a pod's worker remembers of its failures."""

from __future__ import annotations

from cybernetes.base.random import SeededRandom
from cybernetes.kubelet.progress import SANDBOX_LIMIT_S, Progress


def test_a_sandbox_that_fails_again_and_again_is_tried_less_and_less_often() -> None:
    progress, random, waits = Progress(seen_at=0.0, fresh_from=0.0), SeededRandom(1), []
    for _ in range(6):
        progress.sandbox_failed(100.0, random)
        waits.append(progress.failed[""] - 100.0)
    assert [round(each) for each in waits[:3]] == [1, 2, 4]
    assert all(SANDBOX_LIMIT_S * 0.9 <= each <= SANDBOX_LIMIT_S * 1.1 for each in waits[4:])


def test_a_change_of_what_the_pod_is_made_from_is_tried_at_once() -> None:
    progress = Progress(seen_at=0.0, fresh_from=0.0)
    progress.sandbox_failed(100.0, SeededRandom(1))
    progress.look_again()
    assert progress.failed == {}
