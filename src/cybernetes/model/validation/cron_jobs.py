"""Cron jobs: schedules, time zones, and the job that is made.

source  Kubernetes, pkg/apis/batch/validation: CronJobSpec
"""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from cybernetes.model import cron
from cybernetes.model.field import (
    FieldError,
    Path,
    invalid,
    not_supported,
    required,
)
from cybernetes.model.validation import names
from cybernetes.model.validation.jobs import validate_job_spec
from cybernetes.model.validation.meta import not_negative

Object = dict[str, Any]
_SPEC = Path("spec")
_CRON_NAME_MAX = 52


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
