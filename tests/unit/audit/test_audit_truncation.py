"""Events that are too large lose their objects, and say so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cybernetes.apiserver.audit import event as events
from cybernetes.apiserver.audit.numbers import Numbers
from cybernetes.apiserver.audit.truncate import Truncating
from cybernetes.run.apiserver_args import ApiServerArgs, changed

LIMIT = 1000
LARGE = {"data": {"k": "x" * LIMIT}}


class Kept:
    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def put(self, line: bytes) -> None:
        self.lines.append(line)

    async def room(self) -> None:
        return None

    async def run(self) -> None:
        return None


def _put(event: dict[str, Any]) -> tuple[list[Any], float]:
    """What came through, and how many events were lost."""
    kept, numbers = Kept(), Numbers()
    Truncating(kept, LIMIT, numbers).put(events.line(event))
    lost = numbers.errors.labels("truncate")._value.get()
    return [json.loads(each) for each in kept.lines], lost


def test_an_event_that_fits_is_left_alone() -> None:
    event = {"level": "RequestResponse", "requestObject": {"a": 1}}
    assert _put(event) == ([event], 0)


@pytest.mark.parametrize("level", ["Request", "RequestResponse"])
def test_a_large_event_comes_without_its_objects_and_says_so(level: str) -> None:
    told = {"level": level, "auditID": "1", "annotations": {"authorization.k8s.io/decision": "allow"}}
    came, lost = _put({**told, "requestObject": LARGE, "responseObject": {"small": True}})
    annotations = {**told["annotations"], "audit.k8s.io/truncated": "true"}  # type: ignore[dict-item]
    assert (came, lost) == ([{**told, "annotations": annotations}], 0)


def test_text_that_is_no_unicode_is_no_obstacle() -> None:
    came, _ = _put({"level": "Request", "userAgent": "\ud800", "requestObject": LARGE})
    assert came == [{"level": "Request", "userAgent": "\ud800", "annotations": {"audit.k8s.io/truncated": "true"}}]


@pytest.mark.parametrize("event", [{"level": "Metadata"}, {"level": "Request"}])
def test_what_is_too_large_without_objects_is_lost_and_counted(event: dict[str, Any]) -> None:
    assert _put({**event, "requestURI": "/" + "x" * LIMIT}) == ([], 1)


@pytest.mark.parametrize("flag", ["audit-log-truncate-max-event-size", "audit-webhook-batch-throttle-qps"])
def test_limits_are_more_than_nothing(flag: str) -> None:
    with pytest.raises(ValueError, match=f"{flag} must be greater than 0"):
        changed(ApiServerArgs(), {flag: "0"})
    assert changed(ApiServerArgs(), {"audit-log-truncate-enabled": "true"}).audit_log_truncate_enabled
