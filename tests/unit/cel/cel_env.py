"""Short ways to evaluate expressions."""

from __future__ import annotations

from typing import Any

import pytest

from cybernetes.cel import types
from cybernetes.cel.environment import Environment
from cybernetes.cel.errors import CompileError, EvaluationError
from cybernetes.cel.types import ObjectType, list_of, map_of
from cybernetes.model.expressions.functions import FUNCTIONS

POINT = ObjectType("Point", {"x": types.INT, "y": types.INT, "name": types.STRING, "at": types.TIMESTAMP})
ENVIRONMENT = Environment(
    {
        "any": types.DYN,
        "i": types.INT,
        "s": types.STRING,
        "b": types.BOOL,
        "d": types.DOUBLE,
        "numbers": list_of(types.INT),
        "texts": map_of(types.STRING, types.STRING),
        "point": POINT,
        "points": list_of(POINT),
    },
    FUNCTIONS,
)


def value(text: str, **variables: Any) -> Any:
    return ENVIRONMENT.compile(text).evaluate(variables)[0]


def cost(text: str, **variables: Any) -> int:
    return ENVIRONMENT.compile(text).evaluate(variables)[1]


def failure(text: str, **variables: Any) -> str:
    with pytest.raises(EvaluationError) as failed:
        value(text, **variables)
    return str(failed.value)


def refusal(text: str) -> str:
    with pytest.raises(CompileError) as refused:
        ENVIRONMENT.compile(text)
    return str(refused.value)
