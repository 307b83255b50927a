"""Types of expressions.

A type may know how large its values can get (`size_max`: code points, bytes, items or entries), which bounds the
estimated cost of expressions; two types that differ in that only are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

# No bound: math.MaxInt of the reference.
UNBOUNDED = 2**63 - 1

# What a value read from a document must go through to be of its type: a text that stands for a time.
Adapt = Callable[[Any], Any]


class Type:
    """kind: bool, int, uint, double, string, bytes, null, timestamp, duration, dyn, error, list, map, object, opaque,
    type or param. name: as messages show it. parameters: of lists, maps, opaque types, and of `type`.
    """

    __slots__ = ("adapt", "generic", "kind", "name", "parameters", "size_max", "size_min")

    def __init__(
        self,
        kind: str,
        name: str,
        parameters: tuple[Type, ...] = (),
        *,
        size_max: int = UNBOUNDED,
        size_min: int = 0,
        adapt: Adapt | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.parameters = parameters
        self.size_max = size_max
        self.size_min = size_min
        self.adapt = adapt
        self.generic: bool = kind == "param" or any(each.generic for each in parameters)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Type)
            and self.kind == other.kind
            and self.name == other.name
            and self.parameters == other.parameters
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.name, self.parameters))

    def __str__(self) -> str:
        if self.kind == "null":
            return "null"
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(str(each) for each in self.parameters)})"

    def __repr__(self) -> str:
        return f"<{self}>"


class ObjectType(Type):
    """A type with named fields. fields: by the name that expressions use.

    source_names  expression name -> the key in the document, where they differ
    open          whether fields that are not declared may be read, as dyn
    """

    __slots__ = ("_fields", "open", "source_names")

    def __init__(
        self,
        name: str,
        fields: dict[str, Type] | Callable[[], dict[str, Type]],
        *,
        source_names: dict[str, str] | None = None,
        size_min: int = 2,
        open_: bool = False,
        adapt: Adapt | None = None,
    ) -> None:
        super().__init__("object", name, size_max=0, size_min=size_min, adapt=adapt)
        self._fields = fields
        self.source_names = source_names or {}
        self.open = open_

    @property
    def fields(self) -> dict[str, Type]:
        if callable(self._fields):
            self._fields = self._fields()
        return self._fields

    def field(self, name: str) -> Type | None:
        found = self.fields.get(name)
        return DYN if found is None and self.open else found


class StructType(ObjectType):
    """A type whose objects expressions may make: Name{field: value}.

    build  the object of its fields; raises EvaluationError
    """

    __slots__ = ("build",)

    def __init__(
        self, name: str, fields: dict[str, Type], build: Callable[[dict[str, Any]], Any], *, open_: bool = False
    ) -> None:
        super().__init__(name, fields, open_=open_)
        self.build = build


# Of what is always of one size nothing is charged, nor for objects; so does the reference.
BOOL = Type("bool", "bool", size_max=0, size_min=4)
INT = Type("int", "int", size_max=0, size_min=1)
UINT = Type("uint", "uint", size_max=0, size_min=1)
DOUBLE = Type("double", "double", size_max=0, size_min=1)
STRING = Type("string", "string", size_min=2)
BYTES = Type("bytes", "bytes", size_min=2)
NULL = Type("null", "null_type")
TIMESTAMP = Type("timestamp", "timestamp")
DURATION = Type("duration", "duration")
DYN = Type("dyn", "dyn", size_min=1)
ERROR = Type("error", "*error*")
TYPE = Type("type", "type")
ERROR_OR_DYN = frozenset(("error", "dyn"))
PLAIN = frozenset(("bool", "int", "uint", "double", "string", "bytes", "duration", "timestamp"))
SCALARS = frozenset(("bool", "int", "uint", "double", "duration", "timestamp"))


def list_of(item: Type, size_max: int = UNBOUNDED, adapt: Adapt | None = None) -> Type:
    return Type("list", "list", (item,), size_max=size_max, size_min=2, adapt=adapt)


def map_of(key: Type, value: Type, size_max: int = UNBOUNDED) -> Type:
    return Type("map", "map", (key, value), size_max=size_max, size_min=2)


def opaque(name: str, *parameters: Type) -> Type:
    return Type("opaque", name, parameters)


def optional_of(item: Type) -> Type:
    return opaque("optional_type", item)


def type_of(item: Type) -> Type:
    return Type("type", "type", (item,))


def param(name: str) -> Type:
    return Type("param", name)


LIST_DYN = list_of(DYN)
MAP_DYN = map_of(DYN, DYN)
# Names that expressions know types by.
NAMED: dict[str, Type] = {
    "bool": BOOL,
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "string": STRING,
    "bytes": BYTES,
    "null_type": NULL,
    "list": LIST_DYN,
    "map": MAP_DYN,
    "type": TYPE,
    "google.protobuf.Timestamp": TIMESTAMP,
    "google.protobuf.Duration": DURATION,
    "optional_type": optional_of(DYN),
}


def is_optional(wanted: Type) -> bool:
    return wanted.kind == "opaque" and wanted.name == "optional_type"


class Unifier:
    """Which types stand for type parameters. Assignments are kept only when a whole list of types fits."""

    __slots__ = ("_count", "bound")

    def __init__(self) -> None:
        self.bound: dict[str, Type] = {}
        self._count = 0

    def fresh(self) -> Type:
        self._count += 1
        return param(f"_var{self._count}")

    def instantiate(self, wanted: Type, names: dict[str, Type]) -> Type:
        """The type with fresh parameters instead of its own. names: what has been made so far, added to."""
        if not wanted.generic:
            return wanted
        if wanted.kind == "param":
            found = names.get(wanted.name)
            if found is None:
                found = names[wanted.name] = self.fresh()
            return found
        return _with(wanted, [self.instantiate(each, names) for each in wanted.parameters])

    def resolve(self, wanted: Type, *, to_dyn: bool = False) -> Type:
        """The type with what its parameters stand for; to_dyn: dyn for parameters that stand for nothing."""
        if not wanted.generic:
            return wanted
        if wanted.kind == "param":
            found = self.bound.get(wanted.name)
            if found is not None:
                return self.resolve(found, to_dyn=to_dyn)
            return DYN if to_dyn else wanted
        return _with(wanted, [self.resolve(each, to_dyn=to_dyn) for each in wanted.parameters])

    def assignable(self, given: Iterable[Type], wanted: Iterable[Type]) -> bool:
        """Whether all given types fit the wanted ones; what parameters stand for is kept if so."""
        before = dict(self.bound)
        if all(self._fits(a, b) for a, b in zip(given, wanted, strict=True)):
            return True
        self.bound = before
        return False

    def fits(self, given: Type, wanted: Type) -> bool:
        return self.assignable((given,), (wanted,))

    def _fits(self, given: Type, wanted: Type) -> bool:
        given, wanted = self._head(given), self._head(wanted)
        if given is wanted:
            return True
        if wanted.kind == "param":
            return self._bind(wanted, given)
        if given.kind == "param":
            return self._bind(given, wanted)
        if given.kind in ERROR_OR_DYN or wanted.kind in ERROR_OR_DYN:
            return True
        if given.kind == "null" or wanted.kind == "null":
            other = wanted if given.kind == "null" else given
            return other.kind in ("null", "opaque", "object", "timestamp", "duration")
        if given.kind != wanted.kind or (given.kind in ("object", "opaque") and given.name != wanted.name):
            return False
        if given.kind == "type" or not given.parameters:
            return True
        return len(given.parameters) == len(wanted.parameters) and all(
            self._fits(a, b) for a, b in zip(given.parameters, wanted.parameters, strict=True)
        )

    def _head(self, wanted: Type) -> Type:
        while wanted.kind == "param":
            found = self.bound.get(wanted.name)
            if found is None:
                return wanted
            wanted = found
        return wanted

    def _bind(self, parameter: Type, other: Type) -> bool:
        if self._occurs(parameter, other):
            return False
        self.bound[parameter.name] = other
        return True

    def _occurs(self, parameter: Type, other: Type) -> bool:
        other = self._head(other)
        if other.kind == "param":
            return other.name == parameter.name
        return any(self._occurs(parameter, each) for each in other.parameters)

    def join(self, first: Type, second: Type) -> Type:
        """The type of what may be of either; dyn when they have nothing in common."""
        if self.fits(second, first):
            return self._wider(first, second)
        return self._wider(second, first) if self.fits(first, second) else DYN

    def _wider(self, first: Type, second: Type) -> Type:
        """Of two that fit each other the one that says less."""
        first, second = self._head(first), self._head(second)
        if first.kind in ERROR_OR_DYN:
            return first
        if second.kind in ERROR_OR_DYN or (first.kind == "null" and second.kind != "param"):
            return second
        return first


def _with(wanted: Type, parameters: list[Type]) -> Type:
    return Type(
        wanted.kind,
        wanted.name,
        tuple(parameters),
        size_max=wanted.size_max,
        size_min=wanted.size_min,
        adapt=wanted.adapt,
    )
