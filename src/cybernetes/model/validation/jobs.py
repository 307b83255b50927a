"""Jobs.

source  Kubernetes, pkg/apis/batch/validation
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import (
    FieldError,
    Path,
    invalid,
    not_supported,
    required,
    too_long,
)
from cybernetes.model.validation import names
from cybernetes.model.validation.job_policies import validate_failure_policy, validate_success_policy
from cybernetes.model.validation.meta import IMMUTABLE, not_negative
from cybernetes.model.validation.pods import validate_pod_template
from cybernetes.model.validation.selectors import matches_labels, validate_label_selector

Object = dict[str, Any]
_SPEC = Path("spec")
_PARALLELISM_INDEXED_MAX = 100_000
_MANAGED_BY_MAX = 63
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


_PREFIX = "batch.kubernetes.io/"


def _generated_selector(job: Object, spec: Object) -> list[FieldError]:
    """What was generated is there, whatever the user wrote beside it: its pods are those of no other job."""
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    uid, name = job["metadata"].get("uid", ""), job["metadata"].get("name", "")
    generated = {
        "controller-uid": uid,
        "job-name": name,
        f"{_PREFIX}controller-uid": uid,
        f"{_PREFIX}job-name": name,
    }
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    errors: list[FieldError] = []
    for key, value in generated.items():
        at = _SPEC.child("template", "metadata", "labels").key(key)
        if key not in labels:
            errors.append(required(at, f"must be '{value}'"))
        elif labels[key] != value:
            errors.append(invalid(at, dict(sorted(labels.items())), f"must be '{value}'"))
    if not validate_label_selector(selector, _SPEC) and not matches_labels(selector, generated):
        errors.append(invalid(_SPEC.child("selector"), selector, "`selector` not auto-generated"))
    return errors


def _validate_with_selector(spec: Object) -> list[FieldError]:
    template, selector = spec.get("template") or {}, spec.get("selector")
    errors = validate_job_spec(spec, _SPEC)
    path = _SPEC.child("selector")
    wrong = [required(path)] if selector is None else validate_label_selector(selector, path)
    found = (template.get("metadata") or {}).get("labels")
    labels = dict(sorted(found.items())) if found else None
    # No selector selects nothing; of one that can't be read nobody knows what it selects.
    if selector is None or not (wrong or matches_labels(selector, labels or {})):
        text = "`selector` does not match template `labels`"
        wrong.append(invalid(_SPEC.child("template", "metadata", "labels"), labels, text))
    return errors + wrong


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
    errors += validate_failure_policy(spec, path.child("podFailurePolicy"))
    if spec.get("successPolicy") is not None:
        errors += validate_success_policy(spec, path.child("successPolicy"))
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
    # The rules of new jobs, and then those of their specs again: each complaint comes twice.
    errors = _generated_selector(job, spec) + 2 * _validate_with_selector(spec)
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
        _put_back(pod, old_pod, key)
    if not (old.get("status") or {}).get("active"):
        for key in ("initContainers", "containers"):
            if key in pod:
                pod[key] = _with_resources_of(pod[key], old_pod.get(key) or [])
    template["spec"] = pod
    return {key: value for key, value in template.items() if value is not None}


def _with_resources_of(containers: list[Object], old: list[Object]) -> list[Object]:
    """What a job's pods ask for may change, too, while it has none."""
    if len(containers) != len(old):
        return containers
    fixed = [dict(each) for each in containers]
    for container, before in zip(fixed, old, strict=True):
        _put_back(container, before, "resources")
    return fixed


def _put_back(new: Object, old: Object, key: str) -> None:
    if key in old:
        new[key] = old[key]
    else:
        new.pop(key, None)
