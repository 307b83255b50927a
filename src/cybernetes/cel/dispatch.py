"""Calls of functions: which overload is meant, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cybernetes.cel.costs import Cost, compared, runtime_cost, weight
from cybernetes.cel.dressing import dressed, needs_dressing
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload
from cybernetes.cel.parts import Frame, Part, Run, charge
from cybernetes.cel.syntax import Call, ListNode, Literal, Node
from cybernetes.cel.types import SCALARS, Type
from cybernetes.cel.values import (
    Duration,
    Optional,
    Timestamp,
    TypeValue,
    UInt,
    equal,
    type_of,
)

# A literal of no more than this many characters is compared at the cost of 1.
_SHORT = 10
_PLAIN = frozenset(("string", "int", "bool"))
_CLASSES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "uint": (UInt,),
    "double": (float,),
    "string": (str,),
    "bytes": (bytes,),
    "null": (type(None),),
    "timestamp": (Timestamp,),
    "duration": (Duration,),
    "type": (TypeValue,),
}
Test = Callable[[Any], bool]


def call(node: Call, given: Sequence[Node], parts: list[Part]) -> Part:
    """given: target and arguments; parts: what they were compiled to."""
    cost = sum(each for _, each in parts)
    runs = [run for run, _ in parts]
    if node.function in ("_==_", "_!=_"):
        return _equality(node, given, runs, cost)
    if node.function == "dyn" and needs_dressing(given[0].type):
        return _dyn(given[0].type, runs[0]), cost + 1
    choices = [_Choice(each, given) for each in node.overloads]
    if len(choices) == 1 and not choices[0].tests:
        return _direct(choices[0].overload, runs, cost)
    return _dispatched(choices, runs, cost)


class _Choice:
    """An overload, and what must be asked of values before it is called."""

    def __init__(self, overload: Overload, given: Sequence[Node]) -> None:
        self.overload = overload
        self.implementation = overload.implementation
        self.cost: Cost | None = runtime_cost(overload)
        pairs = enumerate(zip(given, overload.arguments, strict=True))
        self.tests = [(i, test) for i, (each, wanted) in pairs if (test := _test(each.type, wanted)) is not None]

    def fits(self, values: Sequence[Any]) -> bool:
        return all(test(values[i]) for i, test in self.tests)


def _test(static: Type, wanted: Type) -> Test | None:
    """What a value must satisfy; None where its type is known to fit."""
    if wanted.kind in ("param", "dyn") or static.kind == wanted.kind:
        return None
    classes = _CLASSES.get(wanted.kind)
    if classes is not None:
        return lambda value: type(value) in classes
    if wanted.kind == "list":
        return lambda value: isinstance(value, list)
    if wanted.kind == "map":
        return lambda value: isinstance(value, dict)
    if wanted.name == "optional_type":
        return lambda value: isinstance(value, Optional)
    name = wanted.name
    return lambda value: type_of(value).name == name


def _direct(overload: Overload, runs: list[Run], cost: int) -> Part:
    """Of an overload whose arguments are known to fit."""
    do = overload.implementation
    dynamic = runtime_cost(overload)
    if dynamic is not None:
        return _charged(do, dynamic, runs), cost
    if len(runs) == 1:
        return _one(do, runs[0]), cost + 1
    if len(runs) == 2:
        return _two(do, runs[0], runs[1]), cost + 1

    def run(frame: Frame) -> Any:
        try:
            return do(*[each(frame) for each in runs])
        except (TypeError, AttributeError) as wrong:
            raise _no_overload() from wrong

    return run, cost + 1


def _one(do: Callable[[Any], Any], first: Run) -> Run:
    def run(frame: Frame) -> Any:
        value = first(frame)
        try:
            return do(value)
        except (TypeError, AttributeError) as wrong:
            raise _no_overload() from wrong

    return run


def _two(do: Callable[[Any, Any], Any], first: Run, second: Run) -> Run:
    def run(frame: Frame) -> Any:
        left, right = first(frame), second(frame)
        try:
            return do(left, right)
        except (TypeError, AttributeError) as wrong:
            raise _no_overload() from wrong

    return run


def _charged(do: Callable[..., Any], dynamic: Cost, runs: list[Run]) -> Run:
    """Of a function whose cost depends on its values. Paid before it is done, where it can be known then."""

    def run(frame: Frame) -> Any:
        values = [each(frame) for each in runs]
        return _paid(frame, do, dynamic, values)

    return run


def _paid(frame: Frame, do: Callable[..., Any], dynamic: Cost, values: list[Any]) -> Any:
    try:
        if dynamic.needs_result:
            result = do(*values)
            charge(frame, dynamic.of(values, result))
            return result
        charge(frame, dynamic.of(values, None))
        return do(*values)
    except (TypeError, AttributeError) as wrong:
        raise _no_overload() from wrong


def _dispatched(choices: list[_Choice], runs: list[Run], cost: int) -> Part:
    def run(frame: Frame) -> Any:
        values = [each(frame) for each in runs]
        for choice in choices:
            if choice.fits(values):
                if choice.cost is not None:
                    return _paid(frame, choice.implementation, choice.cost, values)
                frame[0] += 1
                try:
                    return choice.implementation(*values)
                except (TypeError, AttributeError) as wrong:
                    raise _no_overload() from wrong
        raise _no_overload()

    return run, cost


def _equality(node: Call, given: Sequence[Node], runs: list[Run], cost: int) -> Part:
    left, right = runs
    wanted = node.function == "_==_"
    kinds = [each.type.kind for each in given]
    if kinds[0] == kinds[1] and kinds[0] in _PLAIN:
        same: Callable[[Any, Any], bool] = _identical
    else:
        same = _dressing(given)
    if any(_is_small(each) for each in given):
        if same is _identical:
            if wanted:
                return (lambda frame: left(frame) == right(frame)), cost + 1
            return (lambda frame: left(frame) != right(frame)), cost + 1
        return (lambda frame: same(left(frame), right(frame)) is wanted), cost + 1

    def run(frame: Frame) -> bool:
        first, second = left(frame), right(frame)
        charge(frame, compared(first, second))
        return same(first, second) is wanted

    return run, cost


def _dyn(static: Type, read: Run) -> Run:
    def run(frame: Frame) -> Any:
        value = read(frame)
        charge(frame, weight(value))
        return dressed(static, value)

    return run


def _dressing(given: Sequence[Node]) -> Callable[[Any, Any], bool]:
    """How values are compared, some of whose parts may not be of their types yet."""
    left, right = (each.type if needs_dressing(each.type) else None for each in given)
    if left is None and right is None:
        return equal

    def same(first: Any, second: Any) -> bool:
        a = first if left is None else dressed(left, first)
        return equal(a, second if right is None else dressed(right, second))

    return same


def _identical(left: Any, right: Any) -> bool:
    return bool(left == right)


def _is_small(node: Node) -> bool:
    if isinstance(node, Literal):
        return not isinstance(node.value, str | bytes) or 0 < len(node.value) <= _SHORT
    return node.type.kind in SCALARS or (isinstance(node, ListNode) and len(node.items) in range(1, _SHORT + 1))


def _no_overload() -> EvaluationError:
    return EvaluationError("no such overload")
