"""Declarations of functions: which types they take and give, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cybernetes.cel.types import Type

Implementation = Callable[..., Any]


class Overload:
    """One shape of a function.

    member     whether the first argument stands before the dot
    strict     whether arguments are evaluated before; the others are known to the compiler
    """

    __slots__ = ("arguments", "function", "generic", "id", "implementation", "member", "result")

    def __init__(
        self,
        id_: str,
        function: str,
        signature: tuple[list[Type], Type],
        implementation: Implementation,
        *,
        member: bool,
    ) -> None:
        self.id = id_
        self.function = function
        self.arguments, self.result = signature
        self.implementation = implementation
        self.member = member
        self.generic = self.result.generic or any(each.generic for each in self.arguments)


def function(name: str, id_: str, arguments: list[Type], result: Type, implementation: Implementation) -> Overload:
    return Overload(id_, name, (arguments, result), implementation, member=False)


def method(name: str, id_: str, arguments: list[Type], result: Type, implementation: Implementation) -> Overload:
    """arguments: the target first."""
    return Overload(id_, name, (arguments, result), implementation, member=True)


class Functions:
    """Functions by name. What is not in any overload's types can't be called."""

    def __init__(self, overloads: Iterable[Overload]) -> None:
        self._by_name: dict[str, list[Overload]] = {}
        # What the checker found for arguments of plain types: function, member or not, kinds -> overloads and result.
        self.chosen: dict[tuple[str, bool, tuple[str, ...]], tuple[list[Overload], Type]] = {}
        for each in overloads:
            self._by_name.setdefault(each.function, []).append(each)

    def find(self, name: str) -> list[Overload] | None:
        return self._by_name.get(name)

    def all(self) -> list[Overload]:
        return [each for overloads in self._by_name.values() for each in overloads]


def predicate(test: Callable[[Any], Any]) -> Implementation:
    """Whether something can be done to a value without ValueError."""

    def holds(value: Any) -> bool:
        try:
            test(value)
        except ValueError:
            return False
        return True

    return holds
