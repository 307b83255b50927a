"""ValidatingAdmissionPolicy: rules in CEL that writes must satisfy, put in force by bindings.

`authorizer` and type checking against schemas are not offered: an expression that uses them fails, and the policy's
failurePolicy decides.

source  Kubernetes documentation "Validating Admission Policy"; api-surface 5
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import orjson

from cybernetes.apiserver.admission import matching
from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Step, Validating
from cybernetes.apiserver.admission.kept import Cluster
from cybernetes.auth.lister import Lister
from cybernetes.base.errors import ApiError
from cybernetes.model import cel, selector

Object = dict[str, Any]
# (group, plural, namespaced) of an apiVersion and kind; None when it is not served.
ResourceOf = Callable[[str, str], tuple[str, str, bool] | None]

_VARIABLES = ("object", "oldObject", "request", "params", "namespaceObject", "variables")
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
_DEFAULT_REASON, _DEFAULT_CODE = "Invalid", 422
_AUDIT = "validation.policy.admission.k8s.io/validation_failure"
# A policy's parameters for one write; each is one evaluation of all of its rules.
PARAMS_MAX = 100


class _Failure(msgspec.Struct, frozen=True):
    """A rule that does not hold, or could not be evaluated."""

    message: str
    reason: str = _DEFAULT_REASON
    index: int = 0


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


class ValidatingPolicies(Validating):
    name = "ValidatingAdmissionPolicy"

    def __init__(self, lister: Lister, resource_of: ResourceOf) -> None:
        self._lister = lister
        self._resource_of = resource_of
        self._policies = Cluster(lister, matching.GROUP, "validatingadmissionpolicies")
        self._bindings = Cluster(lister, matching.GROUP, "validatingadmissionpolicybindings")

    def validator(self, place: Place) -> Step | None:
        return None if matching.is_exempt(place.group, place.plural) else self._validate

    def _validate(self, attributes: AdmissionAttributes) -> None:
        denials: list[_Denial] = []
        audited: list[Object] = []
        for binding in self._bindings.all():
            policy = self._policies.get(binding["spec"].get("policyName", ""))
            if policy is None or not self._concerns(policy, binding, attributes):
                continue
            actions = binding["spec"].get("validationActions") or ["Deny"]
            for failure in self._failures(policy, binding, attributes):
                denial = _Denial(policy["metadata"]["name"], binding["metadata"]["name"], failure)
                if "Deny" in actions:
                    denials.append(denial)
                if "Warn" in actions:
                    attributes.warnings.append(_warning(denial))
                if "Audit" in actions:
                    audited.append(_audit_record(denial, actions))
        if audited:
            attributes.annotations[_AUDIT] = orjson.dumps(audited).decode()
        if denials:
            raise _refusal(attributes, denials)

    def _concerns(self, policy: Object, binding: Object, attributes: AdmissionAttributes) -> bool:
        constraints = policy["spec"].get("matchConstraints")
        if not constraints or not self._resources_match(constraints, attributes, needs_rules=True):
            return False
        own = binding["spec"].get("matchResources")
        return not own or self._resources_match(own, attributes, needs_rules=False)

    def _resources_match(self, wanted: Object, attributes: AdmissionAttributes, *, needs_rules: bool) -> bool:
        rules = wanted.get("resourceRules") or ()
        if (rules or needs_rules) and not matching.rules_match(rules, attributes):
            return False
        if matching.rules_match(wanted.get("excludeResourceRules") or (), attributes):
            return False
        return matching.selectors_match(wanted, attributes, self._namespace_labels)

    def _namespace_labels(self, name: str) -> Object | None:
        namespace = self._lister.get("", "namespaces", "", name)
        return (namespace["metadata"].get("labels") or {}) if namespace else None

    def _failures(self, policy: Object, binding: Object, attributes: AdmissionAttributes) -> Iterator[_Failure]:
        spec = policy["spec"]
        must_hold = spec.get("failurePolicy", "Fail") != "Ignore"
        values = matching.cel_values(attributes)
        namespace = attributes.namespace
        values["namespaceObject"] = self._lister.get("", "namespaces", "", namespace) if namespace else None
        try:
            if not matching.conditions_hold(spec.get("matchConditions") or (), values):
                return
            found = self._params(spec, binding["spec"], attributes)
        except (cel.CelError, _Unconfigured) as wrong:
            if must_hold:
                yield _Failure(str(wrong))
            return
        for params in found:
            yield from _broken(spec, {**values, "params": params}, must_hold=must_hold)

    def _params(self, spec: Object, binding: Object, attributes: AdmissionAttributes) -> list[Object | None]:
        """The parameters to evaluate with; one None for a policy without. Raises _Unconfigured."""
        kind, reference = spec.get("paramKind"), binding.get("paramRef")
        if not kind or not reference:
            return [None]
        resource = self._resource_of(kind.get("apiVersion", ""), kind.get("kind", ""))
        if resource is None:
            raise _Unconfigured(f"failed to configure binding: params kind {kind.get('kind')} is not served")
        group, plural, namespaced = resource
        namespace = (reference.get("namespace") or attributes.namespace) if namespaced else ""
        found: list[Object | None] = []
        if reference.get("name"):
            one = self._lister.get(group, plural, namespace, reference["name"])
            found = [one] if one is not None else []
        else:
            matches = selector.matcher(selector.from_object(reference.get("selector") or {}))
            listed = self._lister.list(group, plural, namespace or None)
            found += [each for each in listed if matches(each["metadata"].get("labels") or {})][:PARAMS_MAX]
        if not found and reference.get("parameterNotFoundAction", "Deny") == "Deny":
            raise _Unconfigured(
                "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
            )
        return found


class _Unconfigured(Exception):
    """A binding's parameters are not there."""


def _broken(spec: Object, values: Object, *, must_hold: bool) -> Iterator[_Failure]:
    values = {**values, "variables": {}}
    for each in spec.get("variables") or ():
        try:
            values["variables"][each["name"]] = _evaluate(each["expression"], values)
        except cel.CelError:
            # Only who uses it fails, with an error that names it.
            continue
    for index, rule in enumerate(spec.get("validations") or ()):
        expression = rule["expression"].strip()
        reason = rule.get("reason") or _DEFAULT_REASON
        try:
            holds = _evaluate(expression, values)
        except cel.CelError as wrong:
            if must_hold:
                yield _Failure(f"expression '{expression}' resulted in error: {wrong}", reason, index)
            continue
        if holds is not True:
            yield _Failure(_message(rule, expression, values), reason, index)


def _evaluate(expression: str, values: Object) -> Any:
    return cel.compiled(expression, _VARIABLES).evaluate(values)


def _message(rule: Object, expression: str, values: Object) -> str:
    if rule.get("messageExpression"):
        try:
            said = _evaluate(rule["messageExpression"], values)
        except cel.CelError:
            said = None
        if isinstance(said, str) and said.strip() and "\n" not in said:
            return said.strip()
    return str(rule.get("message") or f"failed expression: {expression}")


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
