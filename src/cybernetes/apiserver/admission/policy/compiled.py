"""A policy's expressions, compiled, and their variables for one write."""

from __future__ import annotations

from typing import Any

from cybernetes.apiserver.admission import matching
from cybernetes.apiserver.admission.scope import Budget, Failed, evaluate
from cybernetes.cel.environment import CALL_LIMIT, Environment
from cybernetes.cel.errors import CelError, EvaluationError
from cybernetes.model.expressions import places
from cybernetes.model.expressions.composed import Composed, compose

Object = dict[str, Any]


class Variables(dict[str, Any]):
    """The policy's own variables: each is evaluated when it is first read."""

    def __init__(self, composed: Composed, values: Object, budget: Budget) -> None:
        super().__init__()
        self._programs = composed.programs
        self._errors = composed.errors
        self._values = values
        self._budget = budget

    def __contains__(self, name: object) -> bool:
        return name in self._programs or name in self._errors

    def __missing__(self, name: str) -> Any:
        if name in self._errors:
            raise EvaluationError(f'composited variable "{name}" fails to compile: {self._errors[name]}')
        program = self._programs[name]
        try:
            value, cost = program.evaluate(self._values, min(CALL_LIMIT, max(0, self._budget.left)))
        except EvaluationError as wrong:
            raise EvaluationError(f'composited variable "{name}" fails to evaluate: {wrong}') from wrong
        self._budget.spend(cost)
        self[name] = value
        return value


class Compiled:
    """policy: of either kind. Expressions are compiled when they are first used."""

    def __init__(self, policy: Object, *, mutating: bool) -> None:
        spec = policy["spec"]
        self.policy = policy
        self.name: str = policy["metadata"]["name"]
        self.must_hold: bool = spec.get("failurePolicy", "Fail") != "Ignore"
        self._conditions = spec.get("matchConditions") or ()
        self._params = spec.get("paramKind") is not None
        base = places.mutation(params=self._params) if mutating else places.admission(params=self._params)
        self._own = spec.get("variables") or ()
        self._base = base
        self._composed = compose(base, self._own)
        self.environment: Environment = self._composed.environment
        self._silent: Environment | None = None

    @property
    def message_environment(self) -> Environment:
        """Of messages, which may not ask for rights."""
        if self._silent is None:
            base = places.admission(params=self._params, authorizer=False)
            self._silent = compose(base, self._own).environment
        return self._silent

    def holds(self, values: Object) -> bool:
        """Whether the policy's conditions let it look at a write. Raises Failed."""
        return not self._conditions or matching.conditions_hold(self._conditions, values, self._base)

    def scope(self, values: Object, budget: Budget) -> Object:
        """Values of all variables. `values`: without the policy's own."""
        scope = dict(values)
        scope["variables"] = Variables(self._composed, scope, budget)
        return scope

    def evaluate(self, text: str, scope: Object, budget: Budget) -> Any:
        """Raises Failed, or OutOfBudget."""
        return run(self.environment, text, scope, budget)


def run(environment: Environment, text: str, scope: Object, budget: Budget) -> Any:
    """Raises Failed, or OutOfBudget."""
    try:
        program = environment.compile(text)
    except CelError as wrong:
        raise Failed(f"compilation error: compilation failed: {wrong}") from wrong
    return evaluate(program, scope, budget)
