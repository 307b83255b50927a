"""Macros that go through lists and maps.

Costs are those of the loops that the macros stand for (macros.py), element by element.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.parts import Frame, Part, Run, charge
from cybernetes.cel.syntax import Comprehension

# Puts one element after the other into the frame.
Walk = Callable[[Frame, Any], Iterator[None]]
_Add = Callable[[dict[Any, Any], Any, Any], None]
_END = object()
_APPEND = 13


def walk(node: Comprehension, first: int, second: int) -> Walk:
    """first, second: places of the variables."""
    parameters = node.range.type.parameters
    adapts = [each.adapt for each in parameters] if node.range.type.kind in ("list", "map") else []
    adapt = adapts[-1] if adapts and (node.variable2 or node.range.type.kind == "list") else None

    def one(frame: Frame, items: Any) -> Iterator[None]:
        if not isinstance(items, list | dict):
            raise EvaluationError("no such overload")
        for each in items:
            frame[first] = each if adapt is None else adapt(each)
            yield

    def two(frame: Frame, items: Any) -> Iterator[None]:
        if not isinstance(items, list | dict):
            raise EvaluationError("no such overload")
        for key, each in items.items() if isinstance(items, dict) else enumerate(items):
            frame[first] = key
            frame[second] = each if adapt is None else adapt(each)
            yield

    return two if node.variable2 else one


def all_(range_: Part, step: Walk, parts: list[Part]) -> Part:
    return _quantifier(range_, step, parts[0], decides=False, each=3)


def exists(range_: Part, step: Walk, parts: list[Part]) -> Part:
    return _quantifier(range_, step, parts[0], decides=True, each=4)


def _quantifier(range_: Part, step: Walk, test: Part, *, decides: bool, each: int) -> Part:
    """An error of one element matters only when no other decides."""
    (items, cost), (holds, test_cost) = range_, test
    asking = each - 1
    each += test_cost

    def run(frame: Frame) -> bool:
        failed: EvaluationError | None = None
        steps = step(frame, items(frame))
        for _ in steps:
            charge(frame, each)
            try:
                found = holds(frame)
            except EvaluationError as wrong:
                failed = wrong
                continue
            if found is decides:
                # Before the next element the loop asks whether it goes on.
                if next(steps, _END) is not _END:
                    frame[0] += asking
                return decides
            if type(found) is not bool:
                failed = EvaluationError("no such overload")
        if failed is not None:
            raise failed
        return not decides

    return run, cost + 1


def exists_one(range_: Part, step: Walk, parts: list[Part]) -> Part:
    (items, cost), (holds, test_cost) = range_, parts[0]

    def run(frame: Frame) -> bool:
        count = 0
        for _ in step(frame, items(frame)):
            charge(frame, 1 + test_cost)
            if _true(holds, frame):
                frame[0] += 1
                count += 1
        return count == 1

    return run, cost + 2


def _true(test: Run, frame: Frame) -> bool:
    found = test(frame)
    if type(found) is not bool:
        raise EvaluationError("no such overload")
    return found


def map_(range_: Part, step: Walk, parts: list[Part]) -> Part:
    (items, cost), (transform, transform_cost) = range_, parts[-1]
    test, test_cost = parts[0] if len(parts) == 2 else (None, 0)
    made_cost = _APPEND - 1 + transform_cost

    def run(frame: Frame) -> list[Any]:
        out = []
        for _ in step(frame, items(frame)):
            charge(frame, test_cost)
            if test is None or _true(test, frame):
                frame[0] += made_cost
                out.append(transform(frame))
            else:
                frame[0] += 1
        return out

    return run, cost + 1


def filter_(range_: Part, step: Walk, parts: list[Part]) -> Part:
    (items, cost), (holds, test_cost) = range_, parts[0]

    def run(frame: Frame) -> Any:
        found = items(frame)
        out: list[Any] = []
        # Each element of a list by itself; of a map its keys.
        source: Iterator[Any] = iter(found if isinstance(found, list | dict) else ())
        for _ in step(frame, found):
            charge(frame, test_cost + 1)
            each = next(source)
            if _true(holds, frame):
                frame[0] += _APPEND - 1
                out.append(each)
        return out

    return run, cost + 1


def transform_map(range_: Part, step: Walk, parts: list[Part]) -> Part:
    return _transform(range_, step, parts, (_with_key, 3))


def transform_entry(range_: Part, step: Walk, parts: list[Part]) -> Part:
    return _transform(range_, step, parts, (_with_entry, 2))


def _transform(range_: Part, step: Walk, parts: list[Part], adding: tuple[_Add, int]) -> Part:
    """adding: how what was made is added, and what that costs."""
    add, add_cost = adding
    (items, cost), (transform, transform_cost) = range_, parts[-1]
    test, test_cost = parts[0] if len(parts) == 2 else (None, 0)

    def run(frame: Frame) -> dict[Any, Any]:
        out: dict[Any, Any] = {}
        found = items(frame)
        keys = iter(found if isinstance(found, dict) else range(len(found) if isinstance(found, list) else 0))
        for _ in step(frame, found):
            charge(frame, test_cost)
            key = next(keys)
            if test is None or _true(test, frame):
                frame[0] += transform_cost + add_cost
                add(out, key, transform(frame))
            else:
                frame[0] += 1
        return out

    return run, cost + 1


def _with_key(out: dict[Any, Any], key: Any, made: Any) -> None:
    out[key] = made


def _with_entry(out: dict[Any, Any], key: Any, made: Any) -> None:
    if not isinstance(made, dict):
        raise EvaluationError("no such overload")
    for name, each in made.items():
        if name in out:
            raise EvaluationError(f"insert failed: key {name} already exists")
        out[name] = each


def bind(init: Part, slot: int, body: Part) -> Part:
    (value, cost), (result, result_cost) = init, body

    def run(frame: Frame) -> Any:
        frame[slot] = value(frame)
        return result(frame)

    return run, cost + result_cost


BUILDERS: dict[str, Callable[[Part, Walk, list[Part]], Part]] = {
    "all": all_,
    "exists": exists,
    "exists_one": exists_one,
    "map": map_,
    "filter": filter_,
    "transformMap": transform_map,
    "transformMapEntry": transform_entry,
}
