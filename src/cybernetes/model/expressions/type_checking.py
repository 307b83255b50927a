"""What a ValidatingAdmissionPolicy gets wrong about the types of the objects that it looks at.

That is only told, never held against the policy: at writes it sees objects without types.

source  Kubernetes documentation "Validating Admission Policy", Type checking
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cybernetes.cel.environment import Environment
from cybernetes.cel.errors import CelError
from cybernetes.cel.types import Type
from cybernetes.model.expressions import places
from cybernetes.model.expressions.composed import compose
from cybernetes.model.expressions.functions import FUNCTIONS

# Types that one policy is checked against.
TYPES_MAX = 10


class Kind(NamedTuple):
    group: str
    version: str
    kind: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version}, Kind={self.kind}"


def resources(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(group, version, plural) of what the policy names; wildcards and subresources are left out."""
    for rule in (spec.get("matchConstraints") or {}).get("resourceRules") or ():
        groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
        if any("*" in each for each in (*groups, *versions)):
            continue
        plurals = [each for each in rule.get("resources") or () if "*" not in each and "/" not in each]
        yield from itertools.product(sorted(groups), sorted(versions), sorted(plurals))


def warnings(spec: Mapping[str, Any], types: Sequence[tuple[Kind, Type]], params: Type | None) -> list[dict[str, str]]:
    """The ExpressionWarnings of validations and of their messages. params: None where there are none or no schema."""
    scopes = [(kind, _environment(spec, obj, params)) for kind, obj in sorted(types, key=lambda each: each[0])]
    out = []
    for i, rule in enumerate(spec.get("validations") or ()):
        for name in ("expression", "messageExpression"):
            found = _wrong(rule.get(name) or "", scopes)
            if found:
                out.append({"fieldRef": f"spec.validations[{i}].{name}", "warning": found})
    return out


def _environment(spec: Mapping[str, Any], obj: Type, params: Type | None) -> Environment:
    variables = places.admission_variables(obj, params, authorizer=True)
    return compose(Environment(variables, FUNCTIONS), spec.get("variables") or ()).environment


def _wrong(text: str, scopes: Iterable[tuple[Kind, Environment]]) -> str:
    if not text:
        return ""
    told = []
    for kind, environment in scopes:
        try:
            environment.checked(text)
        except CelError as wrong:
            told.append(f"{kind}: {wrong}\n")
    return "\n".join(told)
