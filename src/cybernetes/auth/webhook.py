"""Questions to other servers about tokens and rights: TokenReview and SubjectAccessReview, and how long answers last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Protocol

import orjson

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry

Object = dict[str, Any]

# Answers that are remembered, of each webhook.
ANSWERS_MAX = 4096
# A question that is larger would be an answer nobody wants to keep; it is asked each time.
QUESTION_MAX_BYTES = 10_000


class Post(Protocol):
    """POST of JSON to the webhook's URL: the body of a 2xx answer. Raises EdgeError."""

    async def __call__(self, body: bytes) -> bytes: ...


class Remembered:
    """Answers for a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[Hashable, tuple[Any, float]] = OrderedDict()

    def get(self, question: Hashable) -> Any:
        known = self._known.get(question)
        if known is None or known[1] <= self._clock.monotonic():
            return None
        return known[0]

    def keep(self, question: Hashable, found: Any, seconds: float) -> None:
        if seconds <= 0:
            return
        self._known[question] = found, self._clock.monotonic() + seconds
        self._known.move_to_end(question)
        if len(self._known) > ANSWERS_MAX:
            self._known.popitem(last=False)


def review(kind: str, group: str, spec: Object) -> bytes:
    return orjson.dumps(
        {"kind": kind, "apiVersion": f"{group}/v1", "metadata": {"creationTimestamp": None}, "spec": spec, "status": {}}
    )


def status(body: bytes, kind: str, group: str) -> Object:
    """The status of an answer. Raises EdgeError when it is none of the kind."""
    try:
        found = orjson.loads(body)
        if found["kind"] == kind and found["apiVersion"] == f"{group}/v1" and isinstance(found["status"], dict):
            answered: Object = found["status"]
            return answered
    except (ValueError, KeyError, TypeError):
        pass
    raise EdgeError("ask", kind, "the answer is no such review", outcome=Outcome.NOT_DONE, retry=Retry.LATER)
