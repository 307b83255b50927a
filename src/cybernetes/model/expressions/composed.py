"""Variables that a policy gives names to, each of which may use those before it.

source  Kubernetes documentation "Validating Admission Policy", Variable composition
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cybernetes.cel import types
from cybernetes.cel.environment import Environment, Program
from cybernetes.cel.errors import CelError
from cybernetes.cel.types import Type
from cybernetes.model.expressions import places


class Composed(NamedTuple):
    """environment: with `variables`; programs and errors: by the names of variables."""

    environment: Environment
    programs: dict[str, Program]
    errors: dict[str, str]


def compose(base: Environment, variables: Iterable[Mapping[str, Any]]) -> Composed:
    """Variables that can't be compiled may be read, and fail then."""
    known: dict[str, Type] = {}
    programs: dict[str, Program] = {}
    errors: dict[str, str] = {}
    environment = places.with_variables(base, dict(known))
    for each in variables:
        name = each["name"]
        try:
            programs[name] = program = environment.compile(each["expression"])
        except CelError as wrong:
            errors[name] = str(wrong)
            known[name] = types.DYN
        else:
            known[name] = program.type
        environment = places.with_variables(base, dict(known))
    return Composed(environment, programs, errors)
