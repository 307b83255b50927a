"""Finds the type of every part of a tree, and which functions it calls.

source  cel-spec langdef.md "Gradual Type Checking"; words and order of errors are those of cel-go's checker
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cybernetes.cel import types
from cybernetes.cel.errors import CompileError, Issue
from cybernetes.cel.functions import Functions, Overload
from cybernetes.cel.syntax import (
    Call,
    Comprehension,
    Entry,
    Ident,
    ListNode,
    Literal,
    MapNode,
    Node,
    Select,
    Struct,
    qualified_name,
)
from cybernetes.cel.types import (
    BOOL,
    DYN,
    ERROR,
    ERROR_OR_DYN,
    PLAIN,
    ObjectType,
    StructType,
    Type,
    Unifier,
    list_of,
    map_of,
)
from cybernetes.cel.values import TypeValue, type_of


class Declared(Protocol):
    """What a text may refer to."""

    @property
    def variables(self) -> Mapping[str, Type]: ...

    @property
    def functions(self) -> Functions: ...

    def struct(self, name: str) -> StructType | None:
        """The type of Name{…}; None when there is none."""
        ...


def check(text: str, tree: Node, declared: Declared) -> Type:
    """The type of the result; types and overloads are noted in the tree. Raises CompileError."""
    checker = _Checker(declared)
    checker.check(tree)
    if checker.issues:
        raise CompileError(text, checker.issues)
    checker.finish()
    return tree.type


class _Checker:
    def __init__(self, declared: Declared) -> None:
        self.issues: list[Issue] = []
        self._declared = declared
        self._unifier = Unifier()
        self._locals: list[tuple[str, Type]] = []
        self._generic: list[Node] = []

    def check(self, node: Node) -> Type:
        kind = type(node)
        if kind is Ident:
            found = self._ident(node)  # type: ignore[arg-type]
        elif kind is Select:
            found = self._select(node)  # type: ignore[arg-type]
        elif kind is Literal:
            found = type_of(node.value)  # type: ignore[attr-defined]
        elif kind is Call:
            found = self._call(node)  # type: ignore[arg-type]
        elif kind is ListNode:
            found = self._list(node)  # type: ignore[arg-type]
        elif kind is MapNode:
            found = self._map(node)  # type: ignore[arg-type]
        elif kind is Comprehension:
            found = self._loop(node)  # type: ignore[arg-type]
        else:
            assert isinstance(node, Struct)
            found = self._struct(node)
        node.type = found
        if found.generic:
            self._generic.append(node)
        return found

    def finish(self) -> None:
        """Type parameters that nothing decided are of any type."""
        for node in self._generic:
            node.type = self._unifier.resolve(node.type, to_dyn=True)

    def _tell(self, at: int, message: str) -> Type:
        self.issues.append(Issue(at, message))
        return ERROR

    def _shown(self, wanted: Type) -> str:
        return str(self._unifier.resolve(wanted, to_dyn=True))

    def _ident(self, node: Ident) -> Type:
        found = self._lookup(node)
        if found is not None:
            return found
        return self._tell(node.at, f"undeclared reference to '{node.name}' (in container '')")

    def _lookup(self, node: Ident) -> Type | None:
        name = node.name
        if not name.startswith("."):
            for local, found in reversed(self._locals):
                if local == name:
                    return found
        else:
            name = node.name = name[1:]
        declared = self._declared.variables.get(name)
        if declared is not None:
            return declared
        named = types.NAMED.get(name)
        if named is None:
            return None
        node.constant = TypeValue(name)
        return types.type_of(named)

    def _select(self, node: Select) -> Type:
        name = None if node.test else qualified_name(node)
        if name is not None and ("." in name and (name in types.NAMED or name in self._declared.variables)):
            whole = Ident(node.at, name)
            found = self._lookup(whole)
            if found is not None:
                node.resolved = whole
                return found
        operand = self._unifier.resolve(self.check(node.operand))
        if types.is_optional(operand):
            found = self._field(node, operand.parameters[0])
            return BOOL if node.test else (found if types.is_optional(found) else types.optional_of(found))
        found = self._field(node, operand)
        return BOOL if node.test and found.kind != "error" else found

    def _field(self, node: Select, operand: Type) -> Type:
        operand = self._unifier.resolve(operand)
        if operand.kind == "map":
            return operand.parameters[1]
        if isinstance(operand, ObjectType):
            found = operand.field(node.field)
            if found is None:
                return self._tell(node.at, f"undefined field '{node.field}'")
            return found
        if operand.kind in ERROR_OR_DYN:
            return DYN
        if operand.kind == "param":
            self._unifier.fits(operand, DYN)
            return DYN
        return self._tell(node.at, f"type '{self._shown(operand)}' does not support field selection")

    def _call(self, node: Call) -> Type:
        if node.function == "_?._":
            return self._optional_select(node)
        if node.target is None:
            overloads = self._declared.functions.find(node.function.removeprefix("."))
            arguments = [self.check(each) for each in node.arguments]
            if overloads is None:
                return self._undeclared(node, node.function)
            return self._resolve(node, overloads, arguments)
        before = qualified_name(node.target)
        if before is not None:
            name = f"{before}.{node.function}"
            overloads = self._declared.functions.find(name)
            if overloads is not None:
                node.function, node.target = name, None
                return self._resolve(node, overloads, [self.check(each) for each in node.arguments])
        target = self.check(node.target)
        arguments = [self.check(each) for each in node.arguments]
        overloads = self._declared.functions.find(node.function)
        if overloads is None:
            return self._undeclared(node, node.function)
        return self._resolve(node, overloads, [target, *arguments])

    def _undeclared(self, node: Call, name: str) -> Type:
        return self._tell(node.at, f"undeclared reference to '{name}' (in container '')")

    def _optional_select(self, node: Call) -> Type:
        """operand.?field."""
        operand = self._unifier.resolve(self.check(node.arguments[0]))
        self.check(node.arguments[1])
        field = node.arguments[1]
        assert isinstance(field, Literal)
        inner = operand.parameters[0] if types.is_optional(operand) else operand
        found = self._field(Select(node.at, node.arguments[0], field.value), inner)
        node.overloads = list(self._declared.functions.find("_?._") or ())
        return found if types.is_optional(found) else types.optional_of(found)

    def _resolve(self, node: Call, overloads: list[Overload], arguments: list[Type]) -> Type:
        """Keep all overloads that the arguments fit; the result is dyn where theirs differ."""
        member = node.target is not None
        kinds = tuple([each.kind for each in arguments])
        if not PLAIN.issuperset(kinds):
            return self._choose(node, overloads, arguments)
        # Plain types leave nothing open: what fits them once fits them always. A result may: `optional.none()`.
        key = (node.function, member, kinds)
        known = self._declared.functions.chosen.get(key)
        if known is not None:
            node.overloads, result = known
            return result
        result = self._choose(node, overloads, arguments)
        if result is not ERROR and not result.generic:
            self._declared.functions.chosen[key] = node.overloads, result
        return result

    def _choose(self, node: Call, overloads: list[Overload], arguments: list[Type]) -> Type:
        chosen: list[Overload] = []
        result: Type | None = None
        member = node.target is not None
        for each in overloads:
            if each.member is not member or len(each.arguments) != len(arguments):
                continue
            if each.generic:
                names: dict[str, Type] = {}
                wanted = [self._unifier.instantiate(one, names) for one in each.arguments]
                if not self._unifier.assignable(arguments, wanted):
                    continue
                gives = self._unifier.resolve(self._unifier.instantiate(each.result, names))
            elif self._unifier.assignable(arguments, each.arguments):
                gives = each.result
            else:
                continue
            chosen.append(each)
            if result is None:
                result = gives
            elif result.kind not in ERROR_OR_DYN and result != gives:
                result = DYN
        if result is None:
            return self._no_overload(node, arguments)
        node.overloads = chosen
        return result

    def _no_overload(self, node: Call, arguments: list[Type]) -> Type:
        shown = [self._shown(each) for each in arguments]
        if node.target is not None:
            signature = f"{shown[0]}.({', '.join(shown[1:])})"
        else:
            signature = f"({', '.join(shown)})"
        return self._tell(node.at, f"found no matching overload for '{node.function}' applied to '{signature}'")

    def _list(self, node: ListNode) -> Type:
        item: Type | None = None
        for i, each in enumerate(node.items):
            found = self.check(each)
            if i in node.optional:
                found = self._unwrapped(each, found)
            item = self._same(item, found, each.at)
        return list_of(self._unifier.fresh() if item is None else item)

    def _unwrapped(self, node: Node, found: Type) -> Type:
        """What is inside of an optional value."""
        found = self._unifier.resolve(found)
        if types.is_optional(found):
            return found.parameters[0]
        if found.kind in ERROR_OR_DYN:
            return found
        return self._tell(
            node.at, f"expected type 'optional_type({self._shown(found)})' but found '{self._shown(found)}'"
        )

    def _same(self, before: Type | None, found: Type, at: int) -> Type:
        """All items of a literal are of one type, or of any."""
        if before is None:
            return found
        first, second = self._unifier.resolve(before), self._unifier.resolve(found)
        if first.kind in ERROR_OR_DYN or second.kind in ERROR_OR_DYN or self._unifier.fits(second, first):
            return self._unifier.join(first, second)
        self._tell(at, f"expected type '{self._shown(first)}' but found '{self._shown(second)}'")
        return before

    def _map(self, node: MapNode) -> Type:
        key: Type | None = None
        value: Type | None = None
        for each in node.entries:
            key = self._same(key, self.check(each.key), each.key.at)
            found = self.check(each.value)
            if each.optional:
                found = self._unwrapped(each.value, found)
            value = self._same(value, found, each.value.at)
        if key is None or value is None:
            return map_of(self._unifier.fresh(), self._unifier.fresh())
        return map_of(key, value)

    def _struct(self, node: Struct) -> Type:
        wanted = self._declared.struct(node.name.removeprefix("."))
        for each in node.entries:
            self.check(each.value)
        if wanted is None:
            if node.name in types.NAMED:
                return self._tell(node.at, f"'{node.name}' is not a message type")
            return self._tell(node.at, f"undeclared reference to '{node.name}' (in container '')")
        for each in node.entries:
            self._struct_field(each, wanted)
        return wanted

    def _struct_field(self, entry: Entry, wanted: StructType) -> None:
        declared = wanted.field(entry.key)
        if declared is None:
            self._tell(entry.at, f"undefined field '{entry.key}'")
            return
        found = entry.value.type
        if entry.optional:
            found = self._unwrapped(entry.value, found)
        if not self._unifier.fits(found, declared):
            message = f"expected type of field '{entry.key}' is '{self._shown(declared)}' but provided type is '{self._shown(found)}'"
            self._tell(entry.at, message)

    def _loop(self, node: Comprehension) -> Type:
        range_ = self._unifier.resolve(self.check(node.range))
        init = self.check(node.init)
        depth = len(self._locals)
        self._locals.append((node.accu, init))
        first, second = self._iterated(node, range_)
        self._locals.append((node.variable, first))
        if node.variable2:
            self._locals.append((node.variable2, second))
        condition = self.check(node.condition)
        if not self._unifier.fits(condition, BOOL):
            self._tell(node.condition.at, f"expected type 'bool' but found '{self._shown(condition)}'")
        step = self.check(node.step)
        if not self._unifier.fits(step, init):
            self._tell(node.step.at, f"expected type '{self._shown(init)}' but found '{self._shown(step)}'")
        del self._locals[depth + 1 :]
        result = self.check(node.result)
        del self._locals[depth:]
        return self._unifier.resolve(result)

    def _iterated(self, node: Comprehension, range_: Type) -> tuple[Type, Type]:
        """Types of the variables."""
        if range_.kind == "list":
            item = range_.parameters[0]
            return (types.INT, item) if node.variable2 else (item, DYN)
        if range_.kind == "map":
            return range_.parameters[0], range_.parameters[1]
        if range_.kind in ("error", "dyn", "param"):
            if range_.kind == "param":
                self._unifier.fits(range_, DYN)
            return DYN, DYN
        message = f"expression of type '{self._shown(range_)}' cannot be range of a comprehension (must be list, map, or dynamic)"
        self._tell(node.range.at, message)
        return ERROR, ERROR
