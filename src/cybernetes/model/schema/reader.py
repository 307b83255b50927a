"""The fast road from parsed JSON to an object: one compiled closure per node, one pass, no paths.

It takes what is right and common; anything else raises Mismatch and `strict.Walk` goes over the same value again,
to find the exact words or the rarer right cases (nulls inside of lists, unknown fields).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cybernetes.model import quantity
from cybernetes.model.schema import scalar
from cybernetes.model.schema.node import Field, ListNode, MapNode, Node, StructNode, UnionNode
from cybernetes.model.schema.remembered import STRUCTS, remembered

Convert = Callable[[Any], Any]
_INT32, _INT64 = 2**31, 2**63
# Sequences of fields that are remembered for each struct; objects with others are read too, only slower.
MAX_PLANS = 256


class Mismatch(Exception):
    """The value is not plainly what the node wants."""


_MISMATCH = Mismatch()


def converter(node: Node) -> Convert:
    """The compiled reader of a node. It gives a fresh value, and raises Mismatch."""
    if node.convert is None:
        node.convert = _build(node)
    return node.convert


def _build(node: Node) -> Convert:
    if isinstance(node, StructNode):
        return remembered(_struct(node)) if node.name in STRUCTS else _struct(node)
    if isinstance(node, ListNode):
        return _list(node)
    if isinstance(node, MapNode):
        return _map(node)
    if isinstance(node, UnionNode):
        return _union(node)
    return _SCALARS[node.type]


# name, reader (None: the field is not given), what to do when empty, what stands for nothing.
_Step = tuple[str, Convert | None, int, Convert | None]


def _struct(node: StructNode) -> Convert:
    # Objects of one kind are mostly written with the same fields in the same order. What to do for such a sequence
    # is worked out once: most of a struct's fields are absent, and asking for each costs more than the present ones.
    plans: dict[tuple[str, ...], tuple[_Step, ...]] = {}

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _MISMATCH
        names = tuple(value)
        plan = plans.get(names)
        if plan is None:
            plan = _plan(node, names)
            if len(plans) < MAX_PLANS:
                plans[names] = plan
        out = {}
        for name, convert, empty, zero in plan:
            if convert is not None:
                found = value[name]
                if found is not None:
                    found = convert(found)
                    if found:
                        out[name] = found
                    elif empty:
                        out[name] = found if empty == KEPT else None
                    continue
            if zero is not None:
                out[name] = zero(None)
        return out

    return read


def _plan(node: StructNode, names: tuple[str, ...]) -> tuple[_Step, ...]:
    """The steps for an object with these fields, in the order of the struct. Raises Mismatch for unknown fields."""
    given = set(names)
    if not given <= node.fields.keys():
        raise _MISMATCH
    steps: list[_Step] = []
    for name, field in node.fields.items():
        zero = zero_of(field)
        if field.form == "gated":
            continue
        if name in given:
            steps.append((name, converter(field.node), when_empty(node, field), zero))
        elif zero is not None:
            steps.append((name, None, DROPPED, zero))
    return tuple(steps)


# What becomes of a value that is given but empty.
DROPPED, KEPT, NULL = 0, 1, 2
# Kinds that the reference stores as JSON; the others go through protobuf, which can't tell [] from nothing.
_STORED_AS_JSON = ("io.k8s.apiextensions-apiserver.", "io.k8s.kube-aggregator.")
_ALWAYS_KEPT = ("struct", "int-or-string", "quantity", "raw", "union")


# What means something when empty, and is then refused: nothing of it is ever stored.
_REFUSED_EMPTY = frozenset(
    (
        ("io.k8s.api.autoscaling.v2.HPAScalingRules", "policies"),
        ("io.k8s.api.core.v1.PersistentVolumeSpec", "capacity"),
    )
)


# Empty with every node that has no drivers. The reference shows null there, which its own definition of the field does
# not allow: clients that are generated from it can't read such an object.
_EMPTY_FOR_CLIENTS = frozenset((("io.k8s.api.storage.v1.CSINodeSpec", "drivers"),))


def when_empty(owner: StructNode, field: Field) -> int:
    if (owner.name, field.name) in _REFUSED_EMPTY | _EMPTY_FOR_CLIENTS:
        return KEPT
    if field.form == "null" and field.node.type in ("list", "map"):
        return KEPT if owner.name.startswith(_STORED_AS_JSON) else NULL
    return KEPT if field.form in ("zero", "null", "pointer") or field.node.type in _ALWAYS_KEPT else DROPPED


def zero_of(field: Field) -> Convert | None:
    """What is written when the field is not given: None for nothing, else called for a fresh value."""
    if field.form == "null":
        return _nil
    if field.form != "zero":
        return None
    if isinstance(field.node, StructNode):
        empty = converter(field.node)
        return lambda _: empty({})
    zero = ZEROS[field.node.type]
    return lambda _: zero


def _nil(_: Any) -> Any:
    return None


ZEROS: dict[str, Any] = {
    "string": "",
    "int32": 0,
    "int64": 0,
    "double": 0,
    "bool": False,
    "bytes": None,
    "quantity": "0",
    "int-or-string": 0,
    "time": None,
    "micro-time": None,
    "duration": "0s",
    "raw": None,
    "free": None,
    "list": None,
    "map": None,
    "union": None,
}


def _list(node: ListNode) -> Convert:
    item = converter(node.item) if not isinstance(node.item, StructNode) else None
    struct = node.item

    def read(value: Any) -> Any:
        if type(value) is not list:
            raise _MISMATCH
        one = item or converter(struct)
        return [one(each) for each in value]

    return read


def _map(node: MapNode) -> Convert:
    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _MISMATCH
        one = converter(node.value)
        if len(value) > 1:
            return {key: one(value[key]) for key in sorted(value)}
        return {key: one(each) for key, each in value.items()}

    return read


def _union(node: UnionNode) -> Convert:
    by_type = {{"struct": dict, "list": list, "bool": bool}[each.type]: each for each in node.members}

    def read(value: Any) -> Any:
        found = by_type.get(type(value))
        if found is None:
            raise _MISMATCH
        return converter(found)(value)

    return read


def _string(value: Any) -> Any:
    if type(value) is not str:
        raise _MISMATCH
    return value


def _int32(value: Any) -> Any:
    if type(value) is not int or not -_INT32 <= value < _INT32:
        raise _MISMATCH
    return value


def _int64(value: Any) -> Any:
    if type(value) is not int or not -_INT64 <= value < _INT64:
        raise _MISMATCH
    return value


def _bool(value: Any) -> Any:
    if type(value) is not bool:
        raise _MISMATCH
    return value


def _double(value: Any) -> Any:
    if type(value) is not int and type(value) is not float:
        raise _MISMATCH
    return int(value) if type(value) is float and value.is_integer() and abs(value) < 1e21 else value


def _int_or_string(value: Any) -> Any:
    if type(value) is str:
        return value
    return _int32(value)


def _quantity(value: Any) -> Any:
    if type(value) is not str:
        if type(value) is not int and type(value) is not float:
            raise _MISMATCH
        value = str(value)
    try:
        return quantity.canonical(value.strip())
    except quantity.QuantityError:
        raise _MISMATCH from None


def _worded(parse: Callable[[str], Any]) -> Convert:
    def read(value: Any) -> Any:
        if type(value) is not str:
            raise _MISMATCH
        try:
            return parse(value)
        except ValueError:
            raise _MISMATCH from None

    return read


def _raw(value: Any) -> Any:
    if value is None:
        raise _MISMATCH
    return value


_SCALARS: dict[str, Convert] = {
    "string": _string,
    "int32": _int32,
    "int64": _int64,
    "bool": _bool,
    "double": _double,
    "bytes": _worded(scalar.base64),
    "quantity": _quantity,
    "int-or-string": _int_or_string,
    "time": _worded(scalar.time),
    "micro-time": _worded(scalar.micro_time),
    "duration": _string,
    "raw": _raw,
    "free": _raw,
}
