"""Jobs and cron jobs.

source  "Validation", the batch structures of the catalogue
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import available_timezones

from cybernetes.model import cron
from cybernetes.model.field import (
    FieldError,
    Path,
    duplicate,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import IMMUTABLE, not_negative
from cybernetes.model.validation.pods import validate_pod_template
from cybernetes.model.validation.selectors import matches_labels, validate_label_selector

Object = dict[str, Any]
_SPEC = Path("spec")
_RULES_MAX = 20
_CODES_MAX = 255
_PARALLELISM_INDEXED_MAX = 100_000
_MANAGED_BY_MAX = 63
_CRON_NAME_MAX = 52
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_INDEXED_ONLY = "requires indexed completion mode"


def validate_job(job: Object) -> list[FieldError]:
    spec = job.get("spec") or {}
    errors = _generated_selector(job, spec)
    errors += _validate_with_selector(spec)
    if spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
        pod = f"{job['metadata'].get('name', '')}-{spec['completions'] - 1}"
        if names.dns_label(pod):
            text = f"will not able to create pod with invalid DNS label: {pod}"
            errors.append(invalid(Path("metadata").child("name"), job["metadata"].get("name", ""), text))
    return errors


def _generated_selector(job: Object, spec: Object) -> list[FieldError]:
    if spec.get("manualSelector"):
        return []
    expected = {"batch.kubernetes.io/controller-uid": job["metadata"].get("uid", "")}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    selector = spec.get("selector")
    if selector is not None and not matches_labels({"matchLabels": expected}, labels):
        return [invalid(_SPEC.child("selector"), selector, "`selector` not auto-generated")]
    return []


def _validate_with_selector(spec: Object) -> list[FieldError]:
    template, selector = spec.get("template") or {}, spec.get("selector")
    errors = validate_job_spec(spec, _SPEC)
    path = _SPEC.child("selector")
    if selector is None:
        errors.append(required(path))
        return errors
    errors += validate_label_selector(selector, path)
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not matches_labels(selector, labels):
        text = "`selector` does not match template `labels`"
        errors.append(invalid(_SPEC.child("template", "metadata", "labels"), labels, text))
    return errors


def validate_job_spec(spec: Object, path: Path) -> list[FieldError]:
    """Everything but the selector, which a template of jobs does not have."""
    errors: list[FieldError] = []
    for key in (
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
    ):
        errors += not_negative(spec.get(key), path.child(key))
    failed_max = spec.get("maxFailedIndexes")
    if failed_max is not None:
        errors += not_negative(failed_max, path.child("maxFailedIndexes"))
        if spec.get("backoffLimitPerIndex") is None:
            errors.append(required(path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"))
    managed_by = spec.get("managedBy")
    if managed_by is not None:
        at = path.child("managedBy")
        errors += [invalid(at, managed_by, each) for each in _domain_prefixed(managed_by)]
        if len(managed_by) > _MANAGED_BY_MAX:
            errors.append(too_long(at, _MANAGED_BY_MAX))
    errors += _completion_mode(spec, path)
    errors += _failure_policy(spec, path.child("podFailurePolicy"))
    if spec.get("successPolicy") is not None:
        errors += _success_policy(spec, path.child("successPolicy"))
    errors += _replacement_policy(spec, path.child("podReplacementPolicy"))
    template = spec.get("template") or {}
    errors += validate_pod_template_of_job(template, path.child("template"))
    return errors + _restart_policy(spec, template, path.child("template", "spec", "restartPolicy"))


def _domain_prefixed(text: str) -> list[str]:
    prefix, slash, _ = text.partition("/")
    return (
        [] if slash and not names.dns_subdomain(prefix) else ['must be a domain-prefixed path (such as "acme.io/foo")']
    )


def validate_pod_template_of_job(template: Object, path: Path) -> list[FieldError]:
    """As any template; a restart policy that is missing is reported once, with the values that a job takes."""
    missing = not (template.get("spec") or {}).get("restartPolicy")
    return [
        each
        for each in validate_pod_template(template, path)
        if not (missing and each.field == f"{path}.spec.restartPolicy")
        and not (each.field == f"{path}.spec.dnsPolicy" and each.reason == "FieldValueRequired")
    ]


def _restart_policy(spec: Object, template: Object, path: Path) -> list[FieldError]:
    policy = (template.get("spec") or {}).get("restartPolicy", "")
    if policy in ("", "Always"):
        return [required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [not_supported(path, policy, ("OnFailure", "Never"))]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        return [invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def _completion_mode(spec: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    mode = spec.get("completionMode")
    if mode is not None and mode not in ("NonIndexed", "Indexed"):
        errors.append(not_supported(path.child("completionMode"), mode, ("NonIndexed", "Indexed")))
    if mode == "Indexed":
        return errors + _indexed(spec, path)
    if mode == "NonIndexed":
        for key in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(key) is not None:
                errors.append(invalid(path.child(key), spec[key], _INDEXED_ONLY))
    return errors


def _indexed(spec: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    completions, parallelism, failed = spec.get("completions"), spec.get("parallelism"), spec.get("maxFailedIndexes")
    if completions is None:
        errors.append(required(path.child("completions"), "when completion mode is Indexed"))
    if parallelism is not None and parallelism > _PARALLELISM_INDEXED_MAX:
        text = f"must be less than or equal to {_PARALLELISM_INDEXED_MAX} when completion mode is Indexed"
        errors.append(invalid(path.child("parallelism"), parallelism, text))
    if completions is not None and failed is not None and failed > completions:
        errors.append(invalid(path.child("maxFailedIndexes"), failed, "must be less than or equal to completions"))
    return errors


def _replacement_policy(spec: Object, path: Path) -> list[FieldError]:
    policy = spec.get("podReplacementPolicy")
    if policy is None:
        return []
    allowed = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    return [] if policy in allowed else [not_supported(path, policy, allowed)]


def _failure_policy(spec: Object, path: Path) -> list[FieldError]:
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
        errors.append(_bare(path, "specifying both OnExitCodes and OnPodConditions is not supported"))
    if codes is None and not conditions:
        errors.append(_bare(path, "specifying one of OnExitCodes and OnPodConditions is required"))
    return errors


def _bare(path: Path, text: str) -> FieldError:
    """An error whose value the reference does not print."""
    return FieldError("FieldValueInvalid", str(path), f"Invalid value: {text}")


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


def _success_policy(spec: Object, path: Path) -> list[FieldError]:
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
        total, wrong = _count_indexes(indexes, completions or 0)
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


def _count_indexes(text: str, completions: int) -> tuple[int, str]:
    """How many indexes `0-2,5` names, and what is wrong with it."""
    if not text:
        return 0, ""
    total, last = 0, -1
    for part in text.split(","):
        limits = part.split("-")
        if len(limits) > 2:
            return (
                0,
                f"the fragment \"{part}\" violates the requirement that an index interval can have at most two parts separated by '-'",
            )
        numbers = []
        for limit in limits:
            if not limit.isascii() or not limit.isdigit():
                return 0, f'cannot convert string to integer for index: "{limit}"'
            if int(limit) >= completions:
                return 0, f'too large index: "{limit}"'
            numbers.append(int(limit))
        if numbers[0] <= last:
            return 0, f"non-increasing order, previous: {last}, current: {numbers[0]}"
        if numbers[-1] < numbers[0]:
            return 0, f"non-increasing order, previous: {numbers[0]}, current: {numbers[-1]}"
        total += numbers[-1] - numbers[0] + 1
        last = numbers[-1]
    return total, ""


_JOB_IMMUTABLE = (
    "selector",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
)


def validate_job_update(job: Object, old: Object) -> list[FieldError]:
    spec, before = job.get("spec") or {}, old.get("spec") or {}
    errors = _validate_with_selector(spec)
    if spec.get("completions") != before.get("completions"):
        path = _SPEC.child("completions")
        if before.get("completionMode") != "Indexed":
            errors.append(invalid(path, spec.get("completions"), IMMUTABLE))
        elif spec.get("completions") != spec.get("parallelism"):
            errors.append(
                invalid(path, spec.get("completions"), "can only be modified in tandem with spec.parallelism")
            )
    for key in _JOB_IMMUTABLE[:1]:
        if spec.get(key) != before.get(key):
            errors.append(invalid(_SPEC.child(key), spec.get(key), IMMUTABLE))
    if _fixed_template(spec, before, old) != (before.get("template") or {}):
        errors.append(invalid(_SPEC.child("template"), spec.get("template"), IMMUTABLE))
    for key in _JOB_IMMUTABLE[1:]:
        if spec.get(key) != before.get(key):
            errors.append(invalid(_SPEC.child(key), spec.get(key), IMMUTABLE))
    return errors


_WHILE_SUSPENDED = ("nodeSelector", "tolerations", "schedulingGates", "affinity")


def _fixed_template(spec: Object, before: Object, old: Object) -> Object:
    """The new template with what a suspended job that never started may change put back."""
    template = dict(spec.get("template") or {})
    started = (old.get("status") or {}).get("startTime") is not None
    if not before.get("suspend") or started:
        return template
    old_template = before.get("template") or {}
    template["metadata"] = old_template.get("metadata")
    pod, old_pod = dict(template.get("spec") or {}), old_template.get("spec") or {}
    for key in _WHILE_SUSPENDED:
        if key in old_pod:
            pod[key] = old_pod[key]
        else:
            pod.pop(key, None)
    template["spec"] = pod
    return {key: value for key, value in template.items() if value is not None}


def validate_cron_job(cron_job: Object) -> list[FieldError]:
    spec, name = cron_job.get("spec") or {}, cron_job["metadata"].get("name", "")
    errors: list[FieldError] = []
    if len(name) > _CRON_NAME_MAX:
        errors.append(invalid(Path("metadata").child("name"), name, names.at_most_characters(_CRON_NAME_MAX)))
    return validate_cron_job_spec(spec) + errors


def validate_cron_job_update(cron_job: Object, old: Object) -> list[FieldError]:
    return validate_cron_job_spec(cron_job.get("spec") or {})


def validate_cron_job_spec(spec: Object) -> list[FieldError]:
    schedule, zone = spec.get("schedule", ""), spec.get("timeZone")
    errors = _schedule(schedule, zone)
    errors += not_negative(spec.get("startingDeadlineSeconds"), _SPEC.child("startingDeadlineSeconds"))
    policy = spec.get("concurrencyPolicy", "")
    if not policy:
        errors.append(required(_SPEC.child("concurrencyPolicy")))
    elif policy not in ("Allow", "Forbid", "Replace"):
        errors.append(not_supported(_SPEC.child("concurrencyPolicy"), policy, ("Allow", "Forbid", "Replace")))
    template = spec.get("jobTemplate") or {}
    job, at = template.get("spec") or {}, _SPEC.child("jobTemplate", "spec")
    errors += validate_job_spec(job, at)
    if job.get("manualSelector"):
        errors.append(not_supported(at.child("manualSelector"), job["manualSelector"], ("nil", "false")))
    if job.get("selector") is not None:
        errors.append(invalid(at.child("selector"), job["selector"], "`selector` will be auto-generated"))
    for key in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        errors += not_negative(spec.get(key), _SPEC.child(key))
    return errors


def _schedule(schedule: str, zone: str | None) -> list[FieldError]:
    path = _SPEC.child("schedule")
    errors: list[FieldError] = []
    if not schedule:
        errors.append(required(path))
    else:
        try:
            cron.parse(schedule)
        except ValueError as wrong:
            errors.append(invalid(path, schedule, str(wrong)))
        if "TZ" in schedule:
            text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            errors.append(invalid(path, schedule, text))
    return errors + ([] if zone is None else _time_zone(zone, _SPEC.child("timeZone")))


def _time_zone(zone: str, path: Path) -> list[FieldError]:
    if not zone:
        return [invalid(path, zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid(path, zone, text)]
    return [] if zone in available_timezones() else [invalid(path, zone, f"unknown time zone {zone}")]
