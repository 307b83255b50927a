"""ValidatingAdmissionPolicy: what writes must satisfy.

source  Kubernetes documentation "Validating Admission Policy"
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Any

import msgspec
import orjson

from cybernetes.apiserver.admission import matching
from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Step, Validating
from cybernetes.apiserver.admission.policy.compiled import Compiled, run
from cybernetes.apiserver.admission.policy.sources import Invocation, Invocations, Unconfigured
from cybernetes.apiserver.admission.scope import Budget, Failed, OutOfBudget, Rights, decided, namespace_of
from cybernetes.auth.lister import Lister
from cybernetes.base.errors import ApiError
from cybernetes.model.expressions.costs import MESSAGE_MAX_BYTES

Object = dict[str, Any]
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
_DEFAULT_REASON, _DEFAULT_CODE = "Invalid", 422
_AUDIT = "validation.policy.admission.k8s.io/validation_failure"
AUDIT_VALUE_MAX = 10 * 1024


class _Failure(msgspec.Struct, frozen=True):
    """A rule that does not hold, or could not be evaluated. always: refuses whatever the binding's actions are."""

    message: str
    reason: str = _DEFAULT_REASON
    index: int = 0
    always: bool = False


class _Denial(msgspec.Struct, frozen=True):
    policy: str
    binding: str
    failure: _Failure

    @property
    def text(self) -> str:
        return (
            f"ValidatingAdmissionPolicy '{self.policy}' with binding '{self.binding}' denied request: "
            f"{self.failure.message}"
        )


class _Outcome:
    """What one policy says of one write: failures, and values of audit annotations."""

    def __init__(self) -> None:
        self.failures: list[_Failure] = []
        self.annotations: list[tuple[str, str]] = []


class _Verdict:
    """What all policies say of one write."""

    def __init__(self) -> None:
        self.denials: list[_Denial] = []
        self.audited: list[Object] = []
        self.annotations: dict[str, list[str]] = {}

    def add(self, invocation: Invocation, outcome: _Outcome, warnings: list[str]) -> None:
        for each in outcome.failures:
            self._failure(invocation, each, warnings)
        for key, value in outcome.annotations:
            known = self.annotations.setdefault(key, [])
            if value not in known:
                known.append(value)

    def _failure(self, invocation: Invocation, failure: _Failure, warnings: list[str]) -> None:
        denial = _Denial(invocation.policy.name, invocation.binding_name, failure)
        actions = invocation.binding["spec"].get("validationActions") or ["Deny"]
        if failure.always or "Deny" in actions:
            self.denials.append(denial)
        if failure.always:
            return
        if "Warn" in actions:
            warnings.append(_warning(denial))
        if "Audit" in actions:
            self.audited.append(_audit_record(denial, actions))


class ValidatingPolicies(Validating):
    name = "ValidatingAdmissionPolicy"

    def __init__(self, lister: Lister, invocations: Invocations, rights: Rights) -> None:
        self._lister = lister
        self._invocations = invocations
        self._rights = rights

    def validator(self, place: Place) -> Step | None:
        return None if matching.is_exempt(place.group, place.plural) else self._validate

    def _validate(self, attributes: AdmissionAttributes) -> Awaitable[None] | None:
        return self._ask_all(attributes) if self._invocations.may_concern(attributes) else None

    async def _ask_all(self, attributes: AdmissionAttributes) -> None:
        verdict = _Verdict()
        async for invocation in self._invocations.of(attributes):
            outcome = await decided(partial(self._ask, invocation))
            verdict.add(invocation, outcome, attributes.warnings)
        if verdict.audited:
            attributes.annotations[_AUDIT] = orjson.dumps(verdict.audited).decode()
        for key, values in verdict.annotations.items():
            attributes.annotations[key] = ", ".join(values)
        if verdict.denials:
            raise _refusal(attributes, verdict.denials)

    def _ask(self, invocation: Invocation) -> _Outcome:
        outcome = _Outcome()
        policy, looked = invocation.policy, invocation.looked
        values = matching.cel_values(looked)
        values["namespaceObject"] = namespace_of(looked, self._lister)
        rights = self._rights.variables(looked)
        try:
            parameters = self._invocations.parameters(invocation)
        except Unconfigured as wrong:
            if policy.must_hold:
                outcome.failures.append(_Failure(f"failed to configure binding: {wrong}", always=True))
            return outcome
        for params in parameters:
            _Asked(policy, {**values, "params": params}, rights, outcome).ask()
        return outcome


class _Asked:
    """One policy about one write with one set of parameters."""

    def __init__(self, policy: Compiled, values: Object, rights: Object, outcome: _Outcome) -> None:
        self._policy = policy
        self._values = values
        self._all = {**values, **rights}
        self._outcome = outcome

    def ask(self) -> None:
        try:
            if not self._policy.holds(self._all):
                return
            self._validations()
            self._annotations()
        except (Failed, OutOfBudget) as wrong:
            self._failed(str(wrong))

    def _failed(self, message: str, index: int = 0, *, always: bool = False) -> None:
        if self._policy.must_hold:
            self._outcome.failures.append(_Failure(message, index=index, always=always))

    def _validations(self) -> None:
        budget = Budget()
        scope = self._policy.scope(self._all, budget)
        for index, rule in enumerate(self._policy.policy["spec"].get("validations") or ()):
            try:
                holds = self._policy.evaluate(rule["expression"], scope, budget)
            except Failed as wrong:
                self._failed(str(wrong), index)
                continue
            if holds is not True:
                failure = _Failure(self._message(rule, budget), rule.get("reason") or _DEFAULT_REASON, index)
                self._outcome.failures.append(failure)

    def _message(self, rule: Object, budget: Budget) -> str:
        said = self._said(rule, budget) if rule.get("messageExpression") else ""
        return said or (rule.get("message") or "").strip() or f"failed expression: {rule['expression'].strip()}"

    def _said(self, rule: Object, budget: Budget) -> str:
        """What the rule's own expression makes of it; empty when that can't be shown."""
        scope = self._policy.scope(self._values, budget)
        try:
            said = run(self._policy.message_environment, rule["messageExpression"], scope, budget)
        except Failed:
            return ""
        except OutOfBudget as wrong:
            return f"failed messageExpression: {wrong}"
        text = said.strip() if isinstance(said, str) else ""
        return text if "\n" not in text and len(text.encode()) <= MESSAGE_MAX_BYTES else ""

    def _annotations(self) -> None:
        declared = self._policy.policy["spec"].get("auditAnnotations") or ()
        if not declared:
            return
        budget = Budget()
        scope = self._policy.scope(self._all, budget)
        for each in declared:
            try:
                value = self._policy.evaluate(each["valueExpression"], scope, budget)
            except Failed as wrong:
                self._failed(str(wrong), always=True)
                continue
            if isinstance(value, str) and value.strip():
                key = f"{self._policy.name}/{each['key']}"
                self._outcome.annotations.append((key, value.strip()[:AUDIT_VALUE_MAX]))


def _warning(denial: _Denial) -> str:
    return (
        f"Validation failed for ValidatingAdmissionPolicy '{denial.policy}' with binding '{denial.binding}': "
        f"{denial.failure.message}"
    )


def _audit_record(denial: _Denial, actions: list[str]) -> Object:
    return {
        "message": denial.failure.message,
        "policy": denial.policy,
        "binding": denial.binding,
        "expressionIndex": denial.failure.index,
        "validationActions": actions,
    }


def _refusal(attributes: AdmissionAttributes, denials: list[_Denial]) -> ApiError:
    first = denials[0]
    error = attributes.forbidden(first.text)
    causes = [{"message": each.failure.message} for each in denials]
    reason = first.failure.reason
    details = {**(error.details or {}), "causes": causes}
    return ApiError(_CODES.get(reason, _DEFAULT_CODE), reason, error.message, details)
