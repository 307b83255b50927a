"""What an expression can cost at most, before it has any values.

Sizes come from literals, and from the types of what is read from variables: a list that a schema bounds to ten items
has no more. What functions made of it is of unknown size, except where the function is known (call_costs.py).

source  cel-go checker, costs; Kubernetes bounds whole expressions by it, so numbers must be the same
"""

from __future__ import annotations

from typing import NamedTuple

from cybernetes.cel import call_costs
from cybernetes.cel.call_costs import Sized
from cybernetes.cel.ranges import LARGEST, NOTHING, ONE, UNKNOWN, Range, exactly
from cybernetes.cel.syntax import Call, Comprehension, Ident, ListNode, Literal, MapNode, Node, Select, Struct
from cybernetes.cel.types import SCALARS, ObjectType, Type, is_optional

_LIST, _MAP, _STRUCT = exactly(10), exactly(30), exactly(40)


class Entries(NamedTuple):
    """Sizes of the keys and the values of a list or map."""

    key: Range
    value: Range


class _Local(NamedTuple):
    """A variable of a loop. declared: its type, where it is reached from a variable by fields and items only."""

    declared: Type | None
    size: Range | None
    entries: Entries | None


def estimate(tree: Node) -> Range:
    """tree: checked."""
    return _Estimator().cost(tree)


class _Estimator:
    def __init__(self) -> None:
        self._declared: dict[int, Type] = {}
        self._sizes: dict[int, Range] = {}
        self._entries: dict[int, Entries] = {}
        self._locals: list[tuple[str, _Local]] = []

    def cost(self, node: Node) -> Range:
        match node:
            case Literal():
                return NOTHING
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
            case Struct():
                return _total([self.cost(each.value) for each in node.entries]).plus(_STRUCT)
            case Comprehension():
                return self._bind(node) if node.macro == "bind" else self._loop(node)
        raise AssertionError(node)

    def _ident(self, node: Ident) -> Range:
        local = self._local(node.name)
        declared = node.type if local is None and node.constant is None else local.declared if local else None
        if declared is not None:
            self._declared[id(node)] = declared
        return ONE

    def _local(self, name: str) -> _Local | None:
        return next((local for known, local in reversed(self._locals) if known == name), None)

    def _select(self, node: Select) -> Range:
        if node.resolved is not None:
            return ONE
        cost = self.cost(node.operand)
        if node.test:
            return cost
        operand = self._declared.get(id(node.operand))
        if isinstance(operand, ObjectType):
            found = operand.fields.get(node.field)
            if found is not None:
                self._declared[id(node)] = found
        return cost.plus(ONE) if node.operand.type.kind in ("map", "object", "param") else cost

    def _call(self, node: Call) -> Range:
        if node.function == "dyn" and node.target is None:
            cost = self.cost(node.arguments[0])
            self._copy_sizes(node, node.arguments[0])
            return cost.plus(ONE)
        costs = [self.cost(each) for each in node.arguments]
        base = NOTHING
        target: Sized | None = None
        if node.target is not None:
            base = self.cost(node.target)
            target = self._sized(node.target)
        arguments = [self._sized(each) for each in node.arguments]
        own, size = self._overloads(node, target, arguments, costs)
        if size is not None:
            self._sizes[id(node)] = size
        return base.plus(own)

    def _overloads(
        self, node: Call, target: Sized | None, arguments: list[Sized], costs: list[Range]
    ) -> tuple[Range, Range | None]:
        """(cost, size of the result) that covers all overloads that may be meant."""
        total = Range(LARGEST, 0)
        result: Range | None = None
        for each in node.overloads:
            cost, size = self._one_overload(node, each.id, target, arguments, costs)
            total = total.union(cost)
            if size is not None:
                result = size if result is None else result.union(size)
            if each.id in ("index_list", "index_map"):
                result = self._item(node)
        return total, self._size(node) if result is None else result

    def _item(self, node: Call) -> Range | None:
        """Of an index: what it gives is as large as an item may be."""
        operand = node.arguments[0]
        declared = self._declared.get(id(operand))
        if declared is not None and declared.kind in ("list", "map"):
            self._declared[id(node)] = declared.parameters[-1]
        entries = self._entries_of(operand)
        return entries.value if entries is not None else None

    def _one_overload(
        self, node: Call, overload: str, target: Sized | None, arguments: list[Sized], costs: list[Range]
    ) -> tuple[Range, Range | None]:
        if overload in ("logical_and", "logical_or"):
            return Range(costs[0].least, costs[0].plus(costs[1]).most), None
        if overload == "conditional":
            return self._conditional(node, arguments, costs)
        if overload in ("add_string", "add_bytes", "add_list"):
            self._join_entries(node)
        known = call_costs.of_call(node.function, overload, target, arguments)
        cost, size = (ONE, None) if known is None else known
        return cost.plus(_total(costs)), size

    def _conditional(self, node: Call, arguments: list[Sized], costs: list[Range]) -> tuple[Range, Range | None]:
        self._join_entries(node, first=1)
        return costs[0].plus(costs[1].union(costs[2])), arguments[1].size.union(arguments[2].size)

    def _join_entries(self, node: Call, first: int = 0) -> None:
        left, right = (self._entries_of(each) for each in node.arguments[first : first + 2])
        if left is not None and right is not None:
            self._entries[id(node)] = Entries(left.key.union(right.key), left.value.union(right.value))

    def _list(self, node: ListNode) -> Range:
        cost = _total([self.cost(each) for each in node.items])
        self._entries[id(node)] = Entries(ONE, _union([self._known_size(each) for each in node.items]))
        return cost.plus(_LIST)

    def _map(self, node: MapNode) -> Range:
        cost = _total([self.cost(one) for each in node.entries for one in (each.key, each.value)])
        keys = _union([self._known_size(each.key) for each in node.entries])
        values = _union([self._known_size(each.value) for each in node.entries])
        self._entries[id(node)] = Entries(keys, values)
        return cost.plus(_MAP)

    def _bind(self, node: Comprehension) -> Range:
        cost = self.cost(node.range).plus(self.cost(node.init))
        self._locals.append((node.accu, self._as_local(node.init)))
        cost = cost.plus(self.cost(node.result))
        self._locals.pop()
        self._copy_sizes(node, node.result)
        return cost

    def _as_local(self, node: Node) -> _Local:
        return _Local(self._declared.get(id(node)), self._size(node), self._entries_of(node))

    def _loop(self, node: Comprehension) -> Range:
        cost = self.cost(node.range).plus(self.cost(node.init))
        self._locals.append((node.accu, self._as_local(node.init)))
        iterated = [(node.variable, self._iterated(node.range, key=bool(node.variable2)))]
        if node.variable2:
            iterated.append((node.variable2, self._iterated(node.range, key=False, two=True)))
        self._locals += iterated
        each = self.cost(node.condition).plus(self.cost(node.step))
        step_entries = self._entries_of(node.step)
        del self._locals[-len(iterated) :]
        cost = cost.plus(self.cost(node.result))
        self._locals.pop()
        count = self._known_size(node.range)
        self._note_result(node, count, step_entries)
        return cost.plus(count.times(each))

    def _note_result(self, node: Comprehension, count: Range, entries: Entries | None) -> None:
        if isinstance(node.init, Literal):
            self._sizes[id(node)] = self._known_size(node.init)
        elif isinstance(node.init, ListNode | MapNode):
            self._sizes[id(node)] = count
            if entries is not None:
                self._entries[id(node)] = entries

    def _iterated(self, range_: Node, *, key: bool, two: bool = False) -> _Local:
        """A loop's variable: an item of a list, or a key of a map; with two variables a key and a value."""
        declared, entries = self._declared.get(id(range_)), self._entries_of(range_)
        is_list = range_.type.kind == "list"
        of_values = two or (is_list and not key)
        found: Type | None = None
        if declared is not None and declared.kind in ("list", "map"):
            found = declared.parameters[-1] if of_values else declared.parameters[0] if declared.kind == "map" else None
        size = None if entries is None else entries.value if of_values else entries.key
        return _Local(found, size, None)

    def _sized(self, node: Node) -> Sized:
        return Sized(node, node.type, self._known_size(node), self._declared.get(id(node)))

    def _known_size(self, node: Node) -> Range:
        found = self._size(node)
        return UNKNOWN if found is None else found

    def _size(self, node: Node) -> Range | None:
        found = self._sizes.get(id(node))
        if found is None:
            found = _literal_size(node)
        if found is not None:
            return found
        declared = self._declared.get(id(node))
        if declared is None and isinstance(node, Ident):
            local = self._local(node.name)
            declared = local.declared if local is not None else None
        if declared is not None:
            return Range(0, declared.size_max)
        if _is_scalar(node.type):
            return ONE
        local = self._local(node.name) if isinstance(node, Ident) else None
        return local.size if local is not None else None

    def _entries_of(self, node: Node) -> Entries | None:
        found = self._entries.get(id(node))
        if found is None and isinstance(node, Ident):
            local = self._local(node.name)
            return local.entries if local is not None else None
        return found

    def _copy_sizes(self, node: Node, source: Node) -> None:
        size, entries = self._size(source), self._entries_of(source)
        if size is not None:
            self._sizes[id(node)] = size
        if entries is not None:
            self._entries[id(node)] = entries


def _literal_size(node: Node) -> Range | None:
    match node:
        case Literal(value=str() | bytes() as value):
            return exactly(len(value))
        case Literal():
            return ONE
        case ListNode():
            return exactly(len(node.items))
        case MapNode():
            return exactly(len(node.entries))
    return None


def _is_scalar(found: Type) -> bool:
    return found.kind in SCALARS or (is_optional(found) and _is_scalar(found.parameters[0]))


def _total(costs: list[Range]) -> Range:
    total = NOTHING
    for each in costs:
        total = total.plus(each)
    return total


def _union(sizes: list[Range]) -> Range:
    if not sizes:
        return NOTHING
    union = sizes[0]
    for each in sizes[1:]:
        union = union.union(each)
    return union
