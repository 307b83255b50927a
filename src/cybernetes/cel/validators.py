"""What can be told wrong of literals before anything is run: times and patterns that are none.

source  cel-go cel "ASTValidators": durations, timestamps, regular expressions
"""

from __future__ import annotations

from collections.abc import Iterator

from cybernetes.cel import regex, times
from cybernetes.cel.errors import CompileError, EvaluationError, Issue
from cybernetes.cel.syntax import Call, Comprehension, ListNode, Literal, MapNode, Node, Select, Struct

_TIMES = {"duration": times.duration, "timestamp": times.timestamp}


def check_literals(text: str, tree: Node) -> None:
    """Raises CompileError."""
    issues = [found for each in walk(tree) if isinstance(each, Call) and (found := _wrong(each)) is not None]
    if issues:
        raise CompileError(text, issues)


def _wrong(call: Call) -> Issue | None:
    parse = _TIMES.get(call.function)
    if parse is not None and call.target is None:
        value = _text(call.arguments[0])
        if value is not None:
            try:
                parse(value)
            except EvaluationError:
                return Issue(call.arguments[0].at, f"invalid {call.function} argument")
    if call.function == "matches":
        pattern = _text(call.arguments[-1])
        if pattern is not None and regex.problem(pattern):
            return Issue(call.arguments[-1].at, "invalid matches argument")
    return None


def _text(node: Node) -> str | None:
    return node.value if isinstance(node, Literal) and isinstance(node.value, str) else None


def walk(tree: Node) -> Iterator[Node]:
    """All nodes of a tree."""
    left = [tree]
    while left:
        node = left.pop()
        yield node
        left += children(node)


def children(node: Node) -> list[Node]:
    match node:
        case Select():
            return [node.operand]
        case Call():
            return [*([] if node.target is None else [node.target]), *node.arguments]
        case ListNode():
            return node.items
        case MapNode():
            return [one for each in node.entries for one in (each.key, each.value)]
        case Struct():
            return [each.value for each in node.entries]
        case Comprehension():
            return [node.range, node.init, node.condition, node.step, node.result]
    return []
