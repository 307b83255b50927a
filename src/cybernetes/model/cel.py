"""Expressions over variables of any type, for places that have no types of their own.

fails  CelError, with what was wrong
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from cybernetes.cel import environment, types
from cybernetes.cel.errors import CelError
from cybernetes.model.expressions.functions import FUNCTIONS

__all__ = ["CelError", "Program", "compiled"]


class Program:
    """A compiled expression."""

    __slots__ = ("_program", "text")

    def __init__(self, program: environment.Program) -> None:
        self.text = program.text
        self._program = program

    @property
    def type_name(self) -> str:
        return str(self._program.type)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Raises CelError."""
        return self._program.evaluate(values)[0]


def compiled(text: str, variables: tuple[str, ...]) -> Program:
    """The program of an expression over these variables, each of any type. Raises CelError."""
    return Program(_environment(variables).compile(text))


@cache
def _environment(variables: tuple[str, ...]) -> environment.Environment:
    return environment.Environment(dict.fromkeys(variables, types.DYN), FUNCTIONS)
