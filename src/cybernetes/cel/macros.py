"""Macros: calls that become loops and tests before types are checked.

Each gets the place of its call, its target and its arguments, and gives a tree; None where it does not apply.

source  cel-spec langdef.md "Macros"; cel-go ext "TwoVarComprehensions", "Optional types", "Bindings"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cybernetes.cel.syntax import Call, Comprehension, Ident, ListNode, Literal, MapNode, Node, Select, qualified_name

ACCU = "@result"
# The range of loops that only name a value.
UNUSED = "#unused"
Expand = Callable[[int, "Node | None", "list[Node]"], "Node | None"]
_Loop = Callable[["_Made", "list[Node]"], None]


class MacroError(ValueError):
    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at


class _Made:
    """A loop that is being made; its parts stand at the place of the call."""

    def __init__(self, at: int, target: Node, variables: tuple[str, str], init: Node) -> None:
        self.at = at
        self.loop = Comprehension(at, target, variables, (ACCU, init))

    def accu(self) -> Node:
        return Ident(self.at, ACCU)

    def call(self, function: str, *arguments: Node) -> Node:
        return Call(self.at, function, list(arguments))

    def append(self, item: Node) -> Node:
        return self.call("_+_", self.accu(), ListNode(self.at, [item]))

    def if_(self, condition: Node, step: Node) -> Node:
        return self.call("_?_:_", condition, step, self.accu())

    def finish(self, step: Node, *, condition: Node | None = None, result: Node | None = None) -> None:
        self.loop.step = step
        if condition is not None:
            self.loop.condition = condition
        self.loop.result = self.accu() if result is None else result


def _has(at: int, target: Node | None, arguments: list[Node]) -> Node:
    chosen = arguments[0]
    if not isinstance(chosen, Select) or chosen.test:
        raise MacroError(chosen.at, "invalid argument to has() macro")
    return Select(at, chosen.operand, chosen.field, test=True)


def _all(made: _Made, body: list[Node]) -> None:
    made.finish(made.call("_&&_", made.accu(), body[0]), condition=made.call("@not_strictly_false", made.accu()))


def _exists(made: _Made, body: list[Node]) -> None:
    going_on = made.call("@not_strictly_false", made.call("!_", made.accu()))
    made.finish(made.call("_||_", made.accu(), body[0]), condition=going_on)


def _exists_one(made: _Made, body: list[Node]) -> None:
    step = made.if_(body[0], made.call("_+_", made.accu(), Literal(made.at, 1)))
    made.finish(step, result=made.call("_==_", made.accu(), Literal(made.at, 1)))


def _map(made: _Made, body: list[Node]) -> None:
    step = made.append(body[-1])
    made.finish(step if len(body) == 1 else made.if_(body[0], step))


def _filter(made: _Made, body: list[Node]) -> None:
    made.finish(made.if_(body[0], made.append(Ident(made.at, made.loop.variable))))


def _transform_map(made: _Made, body: list[Node]) -> None:
    step = made.call("cel.@mapInsert", made.accu(), Ident(made.at, made.loop.variable), body[-1])
    made.finish(step if len(body) == 1 else made.if_(body[0], step))


def _transform_entry(made: _Made, body: list[Node]) -> None:
    step = made.call("cel.@mapInsert", made.accu(), body[-1])
    made.finish(step if len(body) == 1 else made.if_(body[0], step))


def _loop(name: str, variables: int, init: Callable[[int], Node], build: _Loop) -> Expand:
    def expand(at: int, target: Node | None, arguments: list[Node]) -> Node:
        assert target is not None
        names = [_variable(each, name, i, variables) for i, each in enumerate(arguments[:variables])]
        if variables == 2 and names[0] == names[1]:
            raise MacroError(arguments[1].at, f"duplicate variable name: {names[0]}")
        made = _Made(at, target, (names[0], names[1] if variables == 2 else ""), init(at))
        made.loop.macro, made.loop.body = name, arguments[variables:]
        build(made, made.loop.body)
        return made.loop

    return expand


def _variable(node: Node, macro: str, position: int, count: int) -> str:
    if not isinstance(node, Ident) or node.name.startswith("."):
        if count == 1:
            raise MacroError(node.at, "argument must be a simple name")
        raise MacroError(node.at, f"argument must be a simple name: {macro}() variable {position + 1}")
    if node.name == ACCU:
        raise MacroError(node.at, "iteration variable overwrites accumulator variable")
    return node.name


def _bound(at: int, name: str, value: Node, result: Node) -> Node:
    """The result where `name` stands for the value: a loop that runs over nothing."""
    loop = Comprehension(at, ListNode(at, []), (UNUSED, ""), (name, value))
    loop.macro, loop.body = "bind", [result]
    loop.condition, loop.step, loop.result = Literal(at, False), Ident(at, name), result
    return loop


def _opt(*, flat: bool) -> Expand:
    name = "optFlatMap" if flat else "optMap"

    def expand(at: int, target: Node | None, arguments: list[Node]) -> Node:
        assert target is not None
        variable = arguments[0]
        if not isinstance(variable, Ident):
            raise MacroError(variable.at, f"{name}() variable name must be a simple identifier")
        bound = _bound(at, variable.name, Call(at, "value", [], target), arguments[1])
        chosen: Node = bound if flat else Call(at, "optional.of", [bound])
        return Call(at, "_?_:_", [Call(at, "hasValue", [], target), chosen, Call(at, "optional.none", [])])

    return expand


def _bind(at: int, target: Node | None, arguments: list[Node]) -> Node | None:
    if target is None or qualified_name(target) != "cel":
        return None
    variable, value, result = arguments
    if not isinstance(variable, Ident):
        raise MacroError(variable.at, "cel.bind() variable names must be simple identifiers")
    return _bound(at, variable.name, value, result)


def _sort_by(at: int, target: Node | None, arguments: list[Node]) -> Node:
    assert target is not None
    keys = MACROS["map:2:member"](at, target, arguments)
    assert keys is not None
    return Call(at, "@sortByAssociatedKeys", [keys], target)


def _extremum(function: str) -> Expand:
    """math.greatest and math.least of any number of values."""

    def expand(at: int, target: Node | None, arguments: list[Node]) -> Node | None:
        if target is None or qualified_name(target) != "math":
            return None
        if len(arguments) <= 2:
            return Call(at, function, arguments)
        return Call(at, function, [ListNode(at, arguments)])

    return expand


def _true(at: int) -> Node:
    return Literal(at, True)


def _false(at: int) -> Node:
    return Literal(at, False)


def _zero(at: int) -> Node:
    return Literal(at, 0)


def _empty_list(at: int) -> Node:
    return ListNode(at, [])


def _empty_map(at: int) -> Node:
    return MapNode(at, [])


# Most arguments of math.greatest; the reference takes any number.
_EXTREMUM_ARGUMENTS = 16

# By "name:number of arguments:member or global".
MACROS: Mapping[str, Expand] = {
    "has:1:global": _has,
    "all:2:member": _loop("all", 1, _true, _all),
    "exists:2:member": _loop("exists", 1, _false, _exists),
    "exists_one:2:member": _loop("exists_one", 1, _zero, _exists_one),
    "existsOne:2:member": _loop("exists_one", 1, _zero, _exists_one),
    "map:2:member": _loop("map", 1, _empty_list, _map),
    "map:3:member": _loop("map", 1, _empty_list, _map),
    "filter:2:member": _loop("filter", 1, _empty_list, _filter),
    "all:3:member": _loop("all", 2, _true, _all),
    "exists:3:member": _loop("exists", 2, _false, _exists),
    "exists_one:3:member": _loop("exists_one", 2, _zero, _exists_one),
    "existsOne:3:member": _loop("exists_one", 2, _zero, _exists_one),
    "transformList:3:member": _loop("map", 2, _empty_list, _map),
    "transformList:4:member": _loop("map", 2, _empty_list, _map),
    "transformMap:3:member": _loop("transformMap", 2, _empty_map, _transform_map),
    "transformMap:4:member": _loop("transformMap", 2, _empty_map, _transform_map),
    "transformMapEntry:3:member": _loop("transformMapEntry", 2, _empty_map, _transform_entry),
    "transformMapEntry:4:member": _loop("transformMapEntry", 2, _empty_map, _transform_entry),
    "optMap:2:member": _opt(flat=False),
    "optFlatMap:2:member": _opt(flat=True),
    "bind:3:member": _bind,
    "sortBy:2:member": _sort_by,
    **{f"greatest:{n}:member": _extremum("math.@max") for n in range(1, _EXTREMUM_ARGUMENTS)},
    **{f"least:{n}:member": _extremum("math.@min") for n in range(1, _EXTREMUM_ARGUMENTS)},
}
