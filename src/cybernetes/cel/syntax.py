"""The tree of an expression. `at` is the offset in the text that errors point to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cybernetes.cel.types import DYN, Type

if TYPE_CHECKING:
    from cybernetes.cel.functions import Overload


class Node:
    """type: what the checker found, dyn before."""

    __slots__ = ("at", "type")

    def __init__(self, at: int) -> None:
        self.at = at
        self.type: Type = DYN


class Literal(Node):
    __slots__ = ("value",)

    def __init__(self, at: int, value: Any) -> None:
        super().__init__(at)
        self.value = value


class Ident(Node):
    """constant: a type that the name stands for."""

    __slots__ = ("constant", "name")

    def __init__(self, at: int, name: str) -> None:
        super().__init__(at)
        self.name = name
        self.constant: Any = None


class Select(Node):
    """operand.field; test: has(operand.field). resolved: a qualified name that the whole stands for."""

    __slots__ = ("field", "operand", "resolved", "test")

    def __init__(self, at: int, operand: Node, field: str, *, test: bool = False) -> None:
        super().__init__(at)
        self.operand = operand
        self.field = field
        self.test = test
        self.resolved: Ident | None = None


class Call(Node):
    """function(arguments) or target.function(arguments); operators are functions."""

    __slots__ = ("arguments", "function", "overloads", "target")

    def __init__(self, at: int, function: str, arguments: list[Node], target: Node | None = None) -> None:
        super().__init__(at)
        self.function = function
        self.arguments = arguments
        self.target = target
        self.overloads: list[Overload] = []


class ListNode(Node):
    """optional: indices of items that are optional values, left out when there is none."""

    __slots__ = ("items", "optional")

    def __init__(self, at: int, items: list[Node], optional: frozenset[int] = frozenset()) -> None:
        super().__init__(at)
        self.items = items
        self.optional = optional


class Entry:
    """An entry of a map, or a field of an object: then the key is its name."""

    __slots__ = ("at", "key", "optional", "value")

    def __init__(self, at: int, key: Any, value: Node, *, optional: bool) -> None:
        self.at = at
        self.key = key
        self.value = value
        self.optional = optional


class MapNode(Node):
    __slots__ = ("entries",)

    def __init__(self, at: int, entries: list[Entry]) -> None:
        super().__init__(at)
        self.entries = entries


class Struct(Node):
    """Name{field: value}."""

    __slots__ = ("entries", "name")

    def __init__(self, at: int, name: str, entries: list[Entry]) -> None:
        super().__init__(at)
        self.name = name
        self.entries = entries


class Comprehension(Node):
    """A loop over `range` that folds `step` into `accu` while `condition` holds, then gives `result`.

    variable2   for loops that have key and value; empty otherwise
    macro, body  what made it: the macro's name, and its arguments behind the variables. They say the same as the loop,
                 which is what types and costs are defined by, and are what is run
    """

    __slots__ = (
        "accu",
        "body",
        "condition",
        "init",
        "macro",
        "range",
        "result",
        "step",
        "variable",
        "variable2",
    )

    def __init__(self, at: int, range_: Node, variables: tuple[str, str], accu: tuple[str, Node]) -> None:
        super().__init__(at)
        self.macro = ""
        self.body: list[Node] = []
        self.range = range_
        self.variable, self.variable2 = variables
        self.accu, self.init = accu
        self.condition: Node = Literal(at, True)
        self.step: Node = Literal(at, True)
        self.result: Node = Literal(at, True)


def qualified_name(node: Node) -> str | None:
    """`a.b.c` of nested selects; None for what is no name."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select) and not node.test:
        before = qualified_name(node.operand)
        return None if before is None else f"{before}.{node.field}"
    return None
