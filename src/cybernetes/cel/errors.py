"""How expressions fail."""

from __future__ import annotations

from typing import NamedTuple


class CelError(ValueError):
    """The expression can't be compiled, or failed on its values."""


class EvaluationError(CelError):
    """The expression failed on its values; `&&`, `||` and macros may still give a result."""


class CostExceeded(CelError):
    """The expression costs more than its limit; nothing catches it inside of an expression."""


class Issue(NamedTuple):
    """One thing that is wrong. offset: in code points from the start of the text."""

    offset: int
    message: str


class CompileError(CelError):
    """What is wrong with a text, as cel-go writes it: the place, the line, a mark below.

    Several things are told in the order of their places.
    """

    def __init__(self, text: str, issues: list[Issue]) -> None:
        self.issues = sorted(issues)
        super().__init__("\n".join(_shown(text, each) for each in self.issues))


def _shown(text: str, issue: Issue) -> str:
    if not text:
        # Of an empty text columns are counted from 0.
        return f"ERROR: <input>:1:{issue.offset}: {issue.message}"
    start = text.rfind("\n", 0, issue.offset) + 1
    end = text.find("\n", start)
    line = text[start:] if end < 0 else text[start:end]
    row, column = text.count("\n", 0, start) + 1, issue.offset - start
    mark = "".join("．" if ord(each) > 0x2E7F else "." for each in line[:column]) + "."[: max(0, column - len(line))]
    return f"ERROR: <input>:{row}:{column + 1}: {issue.message}\n | {line.replace(chr(9), ' ')}\n | {mark}^"
