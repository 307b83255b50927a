"""What expressions of one place may use, and the programs that they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from cybernetes.cel.checker import check
from cybernetes.cel.compiler import Compiled, compile_tree
from cybernetes.cel.errors import CostExceeded, EvaluationError
from cybernetes.cel.functions import Functions
from cybernetes.cel.parser import parse
from cybernetes.cel.parts import FIRST, MISSING
from cybernetes.cel.syntax import Node
from cybernetes.cel.types import StructType, Type
from cybernetes.cel.validators import check_literals

# What one evaluation may cost.
CALL_LIMIT = 1_000_000
# Texts whose programs an environment keeps; each is some kilobytes.
PROGRAMS_MAX = 1024
StructOf = Callable[[str], "StructType | None"]


def _no_struct(name: str) -> StructType | None:
    return None


class Program:
    """A compiled expression."""

    __slots__ = ("_compiled", "text", "tree", "type")

    def __init__(self, text: str, tree: Node, compiled: Compiled) -> None:
        self.text = text
        self.tree = tree
        self.type: Type = tree.type
        self._compiled = compiled

    @property
    def uses(self) -> tuple[str, ...]:
        """Names of the variables that the expression looks at."""
        return tuple(name for _, name in self._compiled.places)

    def evaluate(self, values: Mapping[str, Any], limit: int = CALL_LIMIT) -> tuple[Any, int]:
        """(the result, what it cost). Raises EvaluationError, or CostExceeded when it costs more than the limit."""
        compiled = self._compiled
        frame: list[Any] = [compiled.cost, limit]
        frame += [MISSING] * (compiled.size - FIRST)
        for i, name in compiled.places:
            frame[i] = values.get(name, MISSING)
        try:
            result = compiled.run(frame)
        except RecursionError as wrong:
            raise EvaluationError("expression is nested too deeply") from wrong
        if frame[0] > limit:
            raise CostExceeded("operation cancelled: actual cost limit exceeded")
        return result, frame[0]


class Environment:
    """variables, functions, struct: see checker.Declared."""

    def __init__(self, variables: Mapping[str, Type], functions: Functions, struct: StructOf = _no_struct) -> None:
        self.variables = variables
        self.functions = functions
        self._struct = struct
        self._kept = lru_cache(maxsize=PROGRAMS_MAX)(self._compile)

    def struct(self, name: str) -> StructType | None:
        return self._struct(name)

    def extended(self, variables: Mapping[str, Type]) -> Environment:
        return Environment({**self.variables, **variables}, self.functions, self._struct)

    def compile(self, text: str) -> Program:
        """Raises CompileError. Programs are kept."""
        return self._kept(text)

    def _compile(self, text: str) -> Program:
        tree = self.checked(text)
        return Program(text, tree, compile_tree(tree, self._struct))

    def checked(self, text: str) -> Node:
        """The tree with its types. Raises CompileError."""
        tree = parse(text)
        check(text, tree, self)
        check_literals(text, tree)
        return tree
