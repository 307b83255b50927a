"""Regular expressions with the syntax of RE2: never slower than the length of the text times that of the pattern.

The only importer of the RE2 library.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from cybernetes.cel.errors import EvaluationError

# Patterns that are kept compiled, and how much memory one may take.
PATTERNS_MAX = 1024
# What Go's library says of the same.
_WORDS = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
}
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def matches(text: str, pattern: str) -> bool:
    """Whether the pattern is found anywhere. Raises EvaluationError for what is no pattern."""
    return _compiled(pattern).search(text) is not None


def find(text: str, pattern: str) -> str:
    """What the pattern finds first, empty if nothing."""
    found = _compiled(pattern).search(text)
    return found.group() if found is not None else ""


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """What the pattern finds, at most `limit` if that is not negative."""
    found: list[str] = []
    if limit == 0:
        return found
    for each in _compiled(pattern).finditer(text):
        found.append(each.group())
        if len(found) == limit:
            break
    return found


def problem(pattern: str) -> str:
    """What is wrong with a pattern; empty when nothing is."""
    try:
        _compiled(pattern)
    except EvaluationError as wrong:
        return str(wrong)
    return ""


@lru_cache(maxsize=PATTERNS_MAX)
def _compiled(pattern: str) -> Any:
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as wrong:
        said = wrong.args[0].decode() if isinstance(wrong.args[0], bytes) else str(wrong.args[0])
        what, _, where = said.partition(": ")
        what = _WORDS.get(what, what)
        shown = f"{what}: `{where}`" if where else what
        raise EvaluationError(f"error parsing regexp: {shown}") from wrong
