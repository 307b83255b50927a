"""Rules of one level of a custom resource's schema (x-kubernetes-validations), compiled.

source  Kubernetes documentation "Validation rules"
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cybernetes.cel.environment import Environment, Program
from cybernetes.cel.errors import CelError
from cybernetes.cel.estimate import estimate
from cybernetes.cel.types import Type
from cybernetes.model.expressions import places
from cybernetes.model.expressions.schema_types import REQUEST_MAX_BYTES, declared

if TYPE_CHECKING:
    from cybernetes.model.schema.custom.structural import Structural

SELF, OLD = "self", "oldSelf"
# Objects that expressions see are called after this.
_TYPE_NAME = "selfType"


class Expression:
    """A rule, or what makes its message. error: why it is none, in the words of the reference."""

    def __init__(self, text: str, environment: Environment, wanted: str, wrong_type: str) -> None:
        self.text = text
        self.program: Program | None = None
        self.error = ""
        try:
            program = environment.compile(text)
        except CelError as wrong:
            self.error = f"compilation failed: {wrong}"
            return
        if program.type.kind == wanted:
            self.program = program
        else:
            self.error = wrong_type

    @property
    def cost(self) -> int:
        """What it costs at most, once."""
        return 0 if self.program is None else estimate(self.program.tree).most


class Rule:
    """source: as the schema has it."""

    def __init__(self, source: Mapping[str, Any], self_type: Type) -> None:
        self.source = source
        self.optional_old = bool(source.get("optionalOldSelf"))
        environment = places.rule(self_type, optional_old=self.optional_old)
        text = str(source.get("rule") or "")
        self.expression = Expression(text, environment, "bool", "cel expression must evaluate to a bool")
        said = source.get("messageExpression")
        self.message: Expression | None = None
        if said:
            self.message = Expression(said, environment, "string", "messageExpression must evaluate to a string")

    @cached_property
    def uses_old(self) -> bool:
        return self.expression.program is not None and OLD in self.expression.program.uses


class RuleExpressions:
    """Of one level. Compiled when they are first looked at."""

    def __init__(self, schema: Structural) -> None:
        self._schema = schema

    @cached_property
    def type(self) -> Type | None:
        """What `self` is; None where rules can't be about the value."""
        return declared(self._schema, _TYPE_NAME, root=self._schema.root or self._schema.embedded)

    @cached_property
    def rules(self) -> list[Rule]:
        found = self.type
        return [] if found is None else [Rule(each, found) for each in self._schema.rules]

    @property
    def often(self) -> int:
        """How often values of this level fit into one request."""
        least = 0 if self.type is None else self.type.size_min
        return REQUEST_MAX_BYTES // (least + 1)
