"""Turns checked trees into functions.

Every part of an expression becomes a function of a frame and the cost of running it. A frame is a list: what was
spent, what may be spent, then the values of variables. Costs that are known before are summed up and charged once,
where a branch begins; only what depends on sizes is charged on the way.

source  cel-spec langdef.md "Evaluation"; costs are those of cel-go's interpreter
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.cel import dispatch, loops, reading
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.parts import FIRST, MISSING, Frame, Part, Run
from cybernetes.cel.syntax import Call, Comprehension, Entry, Ident, ListNode, Literal, MapNode, Node, Select, Struct
from cybernetes.cel.types import StructType
from cybernetes.cel.values import Optional

LIST_COST, MAP_COST, STRUCT_COST = 10, 30, 40


class Compiled:
    """run: of a frame; cost: charged before; places: of variables in the frame, with their names; size: of the frame."""

    __slots__ = ("cost", "places", "run", "size")

    def __init__(self, part: Part, places: tuple[tuple[int, str], ...], size: int) -> None:
        self.run, self.cost = part
        self.places = places
        self.size = size


def compile_tree(tree: Node, struct: Callable[[str], StructType | None]) -> Compiled:
    """tree: checked, as far as it was not refused."""
    compiler = _Compiler(struct)
    part = compiler.part(tree)
    places = tuple((slot, name) for name, slot in compiler.globals.items())
    return Compiled(part, places, FIRST + compiler.slots)


class _Compiler:
    def __init__(self, struct: Callable[[str], StructType | None]) -> None:
        self.globals: dict[str, int] = {}
        self.slots = 0
        self._struct_of = struct
        self._locals: list[tuple[str, int]] = []

    def part(self, node: Node) -> Part:
        match node:
            case Literal():
                return _constant(node.value)
            case Ident():
                return self._ident(node)
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListNode():
                return self._list(node)
            case MapNode():
                return self._map(node)
            case Comprehension():
                return self._loop(node)
            case Struct():
                return self._struct(node)
        raise AssertionError(node)

    def new_slot(self) -> int:
        self.slots += 1
        return FIRST + self.slots - 1

    def _slot(self, name: str) -> tuple[int, bool]:
        """(place in the frame, whether it is a variable from outside)."""
        for local, slot in reversed(self._locals):
            if local == name:
                return slot, False
        found = self.globals.get(name)
        if found is None:
            found = self.globals[name] = self.new_slot()
        return found, True

    def _ident(self, node: Ident) -> Part:
        if node.constant is not None:
            return _constant(node.constant)
        slot, outer = self._slot(node.name)
        if not outer:
            return (lambda frame: frame[slot]), 1
        name, adapt = node.name, node.type.adapt

        def read(frame: Frame) -> Any:
            value = frame[slot]
            if value is MISSING:
                raise EvaluationError(f"no such attribute(s): {name}")
            return value if adapt is None else adapt(value)

        return read, 1

    def _select(self, node: Select) -> Part:
        if node.resolved is not None:
            return self._ident(node.resolved)
        chain = self._chain(node)
        if chain is not None:
            return chain
        operand = self.part(node.operand)
        if node.test:
            return reading.has(operand, node)
        return reading.select(operand, node)

    def _chain(self, node: Select) -> Part | None:
        """a.b.c of a variable and plain fields, in one step."""
        keys: list[str] = []
        at: Node = node
        while (
            isinstance(at, Select) and at.resolved is None and reading.is_plain(at) and not (at.test and at is not node)
        ):
            keys.append(reading.key_of(at))
            at = at.operand
        if not isinstance(at, Ident) or at.constant is not None or at.type.adapt is not None:
            return None
        slot, _ = self._slot(at.name)
        keys.reverse()
        if node.test:
            return reading.has_chain(slot, keys)
        return reading.chain(slot, keys, node.type.adapt)

    def _call(self, node: Call) -> Part:
        build = _SPECIAL.get(node.function)
        if build is not None and node.target is None:
            return build(self, node)
        given = [*([] if node.target is None else [node.target]), *node.arguments]
        return dispatch.call(node, given, [self.part(each) for each in given])

    def _and(self, node: Call) -> Part:
        return self._logic(node, decides=False)

    def _or(self, node: Call) -> Part:
        return self._logic(node, decides=True)

    def _logic(self, node: Call, *, decides: bool) -> Part:
        """The right side is only asked where the left does not decide; an error of one side may not matter."""
        (left, left_cost), (right, right_cost) = (self.part(each) for each in node.arguments)
        other = not decides

        def run(frame: Frame) -> bool:
            try:
                first = left(frame)
            except EvaluationError:
                frame[0] += right_cost
                if right(frame) is decides:
                    return decides
                raise
            if first is decides:
                return decides
            frame[0] += right_cost
            second = right(frame)
            if second is decides:
                return decides
            if first is other and second is other:
                return other
            raise EvaluationError("no such overload")

        return run, left_cost

    def _ternary(self, node: Call) -> Part:
        (test, test_cost), (yes, yes_cost), (no, no_cost) = (self.part(each) for each in node.arguments)

        def run(frame: Frame) -> Any:
            chosen = test(frame)
            if chosen is True:
                frame[0] += yes_cost
                return yes(frame)
            if chosen is False:
                frame[0] += no_cost
                return no(frame)
            raise EvaluationError("no such overload")

        return run, test_cost

    def _in(self, node: Call) -> Part:
        item, items = node.arguments
        if isinstance(items, ListNode) and items.items and all(isinstance(each, Literal) for each in items.items):
            known = [each.value for each in items.items if isinstance(each, Literal)]
            if all(type(each) is str for each in known):
                return reading.in_texts(self.part(item), frozenset(known))
        parts = [self.part(item), self.part(items)]
        return dispatch.call(node, [item, items], parts)

    def _index(self, node: Call) -> Part:
        operand, index = node.arguments
        return reading.index(self.part(operand), self.part(index), node)

    def _optional_index(self, node: Call) -> Part:
        operand, index = node.arguments
        return reading.optional_index(self.part(operand), self.part(index), node)

    def _optional_select(self, node: Call) -> Part:
        operand, field = node.arguments
        assert isinstance(field, Literal)
        chosen = Select(node.at, operand, field.value)
        chosen.type = node.type.parameters[0] if node.type.parameters else node.type
        return reading.optional_select(self.part(operand), chosen)

    def _list(self, node: ListNode) -> Part:
        parts = [self.part(each) for each in node.items]
        cost = sum(each for _, each in parts)
        if all(isinstance(each, Literal) for each in node.items) and not node.optional:
            return _constant([each.value for each in node.items if isinstance(each, Literal)])
        runs = [run for run, _ in parts]
        if not node.optional:
            return (lambda frame: [run(frame) for run in runs]), cost + LIST_COST
        optional = node.optional

        def run_list(frame: Frame) -> list[Any]:
            out = []
            for i, run in enumerate(runs):
                value = run(frame)
                if i not in optional:
                    out.append(value)
                elif _is_there(value):
                    out.append(value.value)
            return out

        return run_list, cost + LIST_COST

    def _map(self, node: MapNode) -> Part:
        keys = [self.part(each.key) for each in node.entries]
        values = [self.part(each.value) for each in node.entries]
        cost = MAP_COST + sum(each for _, each in keys) + sum(each for _, each in values)
        runs = [
            (key[0], value[0], entry.optional) for key, value, entry in zip(keys, values, node.entries, strict=True)
        ]

        def run_map(frame: Frame) -> dict[Any, Any]:
            out: dict[Any, Any] = {}
            for key, value, optional in runs:
                name, made = key(frame), value(frame)
                if optional and not _is_there(made):
                    continue
                out[_key(name, out)] = made.value if optional else made
            return out

        return run_map, cost

    def _struct(self, node: Struct) -> Part:
        parts = [self.part(each.value) for each in node.entries]
        found = self._struct_of(node.name.removeprefix("."))
        assert found is not None
        build = found.build
        runs: list[tuple[Entry, Run]] = [(each, run) for each, (run, _) in zip(node.entries, parts, strict=True)]

        def run_struct(frame: Frame) -> Any:
            fields: dict[str, Any] = {}
            for entry, run in runs:
                value = run(frame)
                if entry.optional:
                    if not _is_there(value):
                        continue
                    value = value.value
                fields[entry.key] = value
            return build(fields)

        return run_struct, STRUCT_COST + sum(cost for _, cost in parts)

    def _loop(self, node: Comprehension) -> Part:
        range_ = self.part(node.range)
        depth = len(self._locals)
        if node.macro == "bind":
            init, slot = self.part(node.init), self.new_slot()
            self._locals.append((node.accu, slot))
            body = self.part(node.body[0])
            del self._locals[depth:]
            return loops.bind(init, slot, body)
        first, second = self.new_slot(), self.new_slot() if node.variable2 else 0
        self._locals.append((node.variable, first))
        if node.variable2:
            self._locals.append((node.variable2, second))
        parts = [self.part(each) for each in node.body]
        del self._locals[depth:]
        walk = loops.walk(node, first, second)
        return loops.BUILDERS[node.macro](range_, walk, parts)


_SPECIAL: dict[str, Callable[[_Compiler, Call], Part]] = {
    "_&&_": _Compiler._and,
    "_||_": _Compiler._or,
    "_?_:_": _Compiler._ternary,
    "@in": _Compiler._in,
    "_[_]": _Compiler._index,
    "_[?_]": _Compiler._optional_index,
    "_?._": _Compiler._optional_select,
}


def _constant(value: Any) -> Part:
    return (lambda frame: value), 0


def _is_there(value: Any) -> bool:
    if not isinstance(value, Optional):
        raise EvaluationError("no such overload")
    return value.present


def _key(name: Any, known: dict[Any, Any]) -> Any:
    if type(name) is float or isinstance(name, list | dict | bytes) or name is None:
        raise EvaluationError("unsupported key type")
    if name in known:
        raise EvaluationError(f"insert failed: key {name} already exists")
    return name
