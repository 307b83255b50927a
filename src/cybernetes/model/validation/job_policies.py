"""When a job has failed, and when it has succeeded: its policies about pods.

source  Kubernetes, pkg/apis/batch/validation: PodFailurePolicy, SuccessPolicy
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cybernetes.base.number import whole
from cybernetes.model.field import (
    FieldError,
    Path,
    duplicate,
    invalid,
    invalid_unshown,
    not_supported,
    required,
    too_many,
)
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import not_negative

Object = dict[str, Any]
_RULES_MAX = 20
_CODES_MAX = 255
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_INDEXED_ONLY = "requires indexed completion mode"


def validate_failure_policy(spec: Object, path: Path) -> list[FieldError]:
    policy = spec.get("podFailurePolicy")
    if policy is None:
        return []
    rules = policy.get("rules") or []
    errors = [too_many(path.child("rules"), len(rules), _RULES_MAX)] if len(rules) > _RULES_MAX else []
    pod = (spec.get("template") or {}).get("spec") or {}
    containers = {each.get("name", "") for key in ("containers", "initContainers") for each in pod.get(key) or []}
    for i, rule in enumerate(rules):
        errors += _failure_rule(spec, rule, containers, path.child("rules").index(i))
    return errors


def _failure_rule(spec: Object, rule: Object, containers: set[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    action = rule.get("action", "")
    if not action:
        errors.append(required(path.child("action"), _go_values(_ACTIONS)))
    elif action == "FailIndex":
        if spec.get("backoffLimitPerIndex") is None:
            text = "requires the backoffLimitPerIndex to be set"
            errors.append(invalid(path.child("action"), action, text))
    elif action not in _ACTIONS:
        errors.append(not_supported(path.child("action"), action, _ACTIONS))
    codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
    if codes is not None:
        errors += _exit_codes(codes, containers, path.child("onExitCodes"))
    if conditions:
        errors += _pod_conditions(conditions, path.child("onPodConditions"))
    if codes is not None and conditions:
        errors.append(invalid_unshown(path, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not conditions:
        errors.append(invalid_unshown(path, "specifying one of OnExitCodes and OnPodConditions is required"))
    return errors


def _go_values(values: Sequence[str]) -> str:
    return "valid values: [" + " ".join(f'"{each}"' for each in values) + "]"


def _exit_codes(codes: Object, containers: set[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    operator, values, name = codes.get("operator", ""), codes.get("values") or [], codes.get("containerName")
    if not operator:
        errors.append(required(path.child("operator"), _go_values(("In", "NotIn"))))
    elif operator not in ("In", "NotIn"):
        errors.append(not_supported(path.child("operator"), operator, ("In", "NotIn")))
    if name is not None and name not in containers:
        text = "must be one of the container or initContainer names in the pod template"
        errors.append(invalid(path.child("containerName"), name, text))
    at = path.child("values")
    if not values:
        errors.append(invalid(at, [], "at least one value is required"))
    elif len(values) > _CODES_MAX:
        errors.append(too_many(at, len(values), _CODES_MAX))
    seen: set[int] = set()
    for i, value in enumerate(values):
        if operator == "In" and value == 0:
            errors.append(invalid(at.index(i), value, "must not be 0 for the In operator"))
        if value in seen:
            errors.append(duplicate(at.index(i), value))
        seen.add(value)
    if values != sorted(values):
        errors.append(invalid(at, values, "must be ordered"))
    return errors


def _pod_conditions(patterns: list[Object], path: Path) -> list[FieldError]:
    errors = [too_many(path, len(patterns), _RULES_MAX)] if len(patterns) > _RULES_MAX else []
    for i, pattern in enumerate(patterns):
        at, kind, status = path.index(i), pattern.get("type", ""), pattern.get("status", "")
        errors += [invalid(at.child("type"), kind, each) for each in names.qualified_name(kind)]
        if not status:
            errors.append(required(at.child("status"), _go_values(("False", "True", "Unknown"))))
        elif status not in ("False", "True", "Unknown"):
            errors.append(not_supported(at.child("status"), status, ("False", "True", "Unknown")))
    return errors


def validate_success_policy(spec: Object, path: Path) -> list[FieldError]:
    if spec.get("completionMode") != "Indexed":
        return [invalid(path, _shown_success_policy(spec["successPolicy"]), _INDEXED_ONLY)]
    rules, at = spec["successPolicy"].get("rules") or [], path.child("rules")
    errors: list[FieldError] = []
    if not rules:
        errors.append(required(at, "at least one rules must be specified when the successPolicy is specified"))
    elif len(rules) > _RULES_MAX:
        errors.append(too_many(at, len(rules), _RULES_MAX))
    for i, rule in enumerate(rules):
        errors += _success_rule(rule, spec.get("completions"), at.index(i))
    return errors


def _shown_success_policy(policy: Object) -> Object:
    """As the reference prints its internal struct."""
    rules = [
        {"SucceededIndexes": each.get("succeededIndexes"), "SucceededCount": each.get("succeededCount")}
        for each in policy.get("rules") or []
    ]
    return {"Rules": rules}


def _success_rule(rule: Object, completions: int | None, path: Path) -> list[FieldError]:
    indexes, count = rule.get("succeededIndexes"), rule.get("succeededCount")
    if indexes is None and count is None:
        return [required(path, "at least one of succeededCount or succeededIndexes must be specified")]
    errors: list[FieldError] = []
    total = 0
    if indexes is not None:
        at = path.child("succeededIndexes")
        named, wrong = indexes_named(indexes, completions or 0)
        total = sum(map(len, named))
        if wrong:
            errors.append(invalid(at, indexes, f"error parsing succeededIndexes: {wrong}"))
    if count is not None:
        at = path.child("succeededCount")
        errors += not_negative(count, at)
        if completions is not None and count > completions:
            text = f"must be less than or equal to {completions} (the number of specified completions)"
            errors.append(invalid(at, count, text))
        if indexes is not None and count > total:
            text = (
                f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            )
            errors.append(invalid(at, count, text))
    return errors


def indexes_named(text: str, completions: int) -> tuple[list[range], str]:
    """The indexes that `0-2,5` names, and what is wrong with it: then it names none."""
    if not text:
        return [], ""
    named: list[range] = []
    last = -1
    for part in text.split(","):
        limits = part.split("-")
        if len(limits) > 2:
            return (
                [],
                f"the fragment \"{part}\" violates the requirement that an index interval can have at most two parts separated by '-'",
            )
        numbers = []
        for limit in limits:
            if not limit.isascii() or not limit.isdigit():
                return [], f'cannot convert string to integer for index: "{limit}"'
            number = whole(limit)
            if number is None or number >= completions:
                return [], f'too large index: "{limit}"'
            numbers.append(number)
        if numbers[0] <= last:
            return [], f"non-increasing order, previous: {last}, current: {numbers[0]}"
        if numbers[-1] < numbers[0]:
            return [], f"non-increasing order, previous: {numbers[0]}, current: {numbers[-1]}"
        last = numbers[-1]
        named.append(range(numbers[0], last + 1))
    return named, ""
