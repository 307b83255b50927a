"""Rules of Events: old ones are hardly checked, those with an eventTime are.

source  Kubernetes, pkg/apis/core/validation: Event
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, invalid, required
from cybernetes.model.validation import names

Object = dict[str, Any]
REASON_MAX, ACTION_MAX, INSTANCE_MAX, NOTE_MAX = 128, 128, 128, 1024
TYPES = ("Normal", "Warning")
# Events about things that are in no namespace live in one of these.
_CLUSTER_NAMESPACES = ("default", "kube-system", "")


def validate_core_event(event: Object) -> list[FieldError]:
    """Of core/v1. Without an eventTime only the namespace is looked at."""
    return _namespaces(event) + (_strict(event) if event.get("eventTime") else [])


def validate_new_event(event: Object) -> list[FieldError]:
    """Of events.k8s.io/v1, in the fields of core/v1."""
    involved = (event.get("involvedObject") or {}).get("namespace", "")
    return ([] if involved else _namespaces(event)) + _strict(event) + _unset(event)


def validate_new_event_update(event: Object, old: Object) -> list[FieldError]:
    """Only the series may change."""
    errors: list[FieldError] = []
    for name in (
        "involvedObject",
        "reason",
        "message",
        "source",
        "firstTimestamp",
        "lastTimestamp",
        "count",
        "type",
        "eventTime",
        "action",
        "related",
        "reportingComponent",
        "reportingInstance",
    ):
        if event.get(name) != old.get(name):
            shown = {"reportingComponent": "reportingController"}.get(name, name)
            errors.append(invalid(Path(shown), event.get(name), "field is immutable"))
    return errors if event.get("series") == old.get("series") else [*_series(event.get("series")), *errors]


def _namespaces(event: Object) -> list[FieldError]:
    involved = (event.get("involvedObject") or {}).get("namespace", "")
    own = event["metadata"].get("namespace", "")
    if not involved:
        # Things that are in no namespace.
        fits = own in _CLUSTER_NAMESPACES
    else:
        fits = involved == own
    return (
        [] if fits else [invalid(Path("involvedObject").child("namespace"), involved, "does not match event.namespace")]
    )


def _strict(event: Object) -> list[FieldError]:
    errors = []
    if not event.get("eventTime"):
        errors.append(required(Path("eventTime")))
    controller = event.get("reportingComponent", "")
    if not controller:
        errors.append(required(Path("reportingController")))
    errors += [invalid(Path("reportingController"), controller, each) for each in names.qualified_name(controller)]
    for name, limit in (("reportingInstance", INSTANCE_MAX), ("action", ACTION_MAX), ("reason", REASON_MAX)):
        text = event.get(name, "")
        if not text:
            errors.append(required(Path(name)))
        elif len(text.encode()) > limit:
            errors.append(invalid(Path(name), "", f"can have at most {limit} characters"))
    if len(event.get("message", "").encode()) > NOTE_MAX:
        errors.append(invalid(Path("message"), "", f"can have at most {NOTE_MAX} characters"))
    kind = event.get("type", "")
    if kind not in TYPES:
        errors.append(invalid(Path("type"), "", f"has invalid value: {kind}"))
    return errors + _series(event.get("series"))


def _series(series: Object | None) -> list[FieldError]:
    if series is None:
        return []
    errors = []
    if series.get("count", 0) < 2:
        errors.append(invalid(Path("series").child("count"), "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        errors.append(required(Path("series").child("lastObservedTime")))
    return errors


def _unset(event: Object) -> list[FieldError]:
    """What only old events say."""
    errors = []
    for name in ("firstTimestamp", "lastTimestamp", "count", "source"):
        if event.get(name):
            errors.append(invalid(Path(name), "", "needs to be unset"))
    return errors
