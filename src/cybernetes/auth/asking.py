"""Decisions that may need an answer from another server, without making every decision wait.

A decision is a plain function. Where it needs to know what only another server knows, it calls `answer`, which raises
`Unanswered` the first time; whoever asked for the decision lets `settled` fetch the answer and decide once more. So
decisions that need nobody, nearly all, cost nothing for the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from contextvars import ContextVar
from typing import Any, TypeVar

from cybernetes.base.errors import EdgeError, Outcome, Retry

T = TypeVar("T")
# Answers that one decision may need: parts of an impersonation are asked for one by one.
QUESTIONS_MAX = 64

_answers: ContextVar[dict[Hashable, Any] | None] = ContextVar("answers", default=None)


class Unanswered(BaseException):
    """Not an Exception: nobody between the question and `settled` may take it for a failure."""

    def __init__(self, question: Hashable, fetch: Callable[[], Awaitable[Any]]) -> None:
        super().__init__("a decision needs an answer that nobody waits for")
        self.question = question
        self.fetch = fetch


def answer(question: Hashable, fetch: Callable[[], Awaitable[Any]]) -> Any:
    """The answer to a question. Raises Unanswered while it was not fetched for this decision."""
    found = _answers.get()
    if found is None or question not in found:
        raise Unanswered(question, fetch)
    return found[question]


async def settled(decide: Callable[[], T], first: Unanswered | None = None) -> T:
    """What `decide` returns or raises, once it has the answers that it needs.

    first  what it raised already
    """
    answers: dict[Hashable, Any] = {}
    if first is not None:
        answers[first.question] = await first.fetch()
    for _ in range(QUESTIONS_MAX):
        before = _answers.set(answers)
        try:
            return decide()
        except Unanswered as missing:
            question, fetch = missing.question, missing.fetch
        finally:
            _answers.reset(before)
        answers[question] = await fetch()
    why = f"it needs more than {QUESTIONS_MAX} answers"
    raise EdgeError("decide", "a request", why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
