"""Horizontal pod autoscalers, as stored: autoscaling/v2.

source  Kubernetes, pkg/apis/autoscaling/validation
"""

from __future__ import annotations

from typing import Any

from cybernetes.model import convert, quantity
from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import NOT_NEGATIVE, not_negative
from cybernetes.model.validation.resources import validate_container_resource_name

Object = dict[str, Any]
_SPEC = Path("spec")
_TYPES = ("ContainerResource", "External", "Object", "Pods", "Resource")
# In the order in which they are looked at.
_SOURCES = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
_WINDOW_MAX_S = 3600
_PERIOD_MAX_S = 1800
_NEED_TARGET = "must set either a target raw value or a target utilization"


def validate_autoscaler(autoscaler: Object) -> list[FieldError]:
    spec = autoscaler.get("spec") or {}
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    errors: list[FieldError] = []
    if low is not None and low < 1:
        errors.append(invalid(_SPEC.child("minReplicas"), low, "must be greater than or equal to 1"))
    path = _SPEC.child("maxReplicas")
    if high == 0:
        errors.append(required(path, "must be set and greater than 0"))
    elif high < 1:
        errors.append(invalid(path, high, "must be greater than or equal to 1"))
    if low is not None and high < low:
        errors.append(invalid(path, high, "must be greater than or equal to `minReplicas`"))
    errors += _target_reference(spec.get("scaleTargetRef") or {}, _SPEC.child("scaleTargetRef"))
    for i, metric in enumerate(spec.get("metrics") or []):
        errors += _metric(metric, _SPEC.child("metrics").index(i))
    behavior = spec.get("behavior")
    if behavior is not None:
        for key in ("scaleUp", "scaleDown"):
            if behavior.get(key) is not None:
                errors += _rules(behavior[key], _SPEC.child("behavior", key))
    return errors


def validate_autoscaler_v1(autoscaler: Object) -> list[FieldError]:
    """Errors name the fields of the stored version."""
    return validate_autoscaler(
        convert.between("autoscaling/v1", "autoscaling/v2", "HorizontalPodAutoscaler")(autoscaler)
    )


def _target_reference(ref: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for key in ("kind", "name"):
        value = ref.get(key, "")
        if not value:
            errors.append(required(path.child(key)))
        else:
            errors += [invalid(path.child(key), value, each) for each in names.path_segment(value)]
    version = ref.get("apiVersion", "")
    errors += _group_version(version, ref.get("kind", ""), path.child("apiVersion"))
    return errors


def _group_version(version: str, kind: str, path: Path) -> list[FieldError]:
    if version.count("/") > 1:
        return [invalid(path, version, f"unexpected GroupVersion string: {version}")]
    # Only replication controllers live in the core group.
    if "/" not in version and kind != "ReplicationController":
        return [invalid(path, version, "apiVersion must specify API group")]
    return []


def _metric(metric: Object, path: Path) -> list[FieldError]:
    kind = metric.get("type", "")
    errors: list[FieldError] = []
    if not kind:
        errors.append(required(path.child("type"), "must specify a metric source type"))
    if kind not in _TYPES:
        errors.append(not_supported(path.child("type"), kind, _TYPES))
    given = [key for key in _SOURCES.values() if metric.get(key) is not None]
    if given:
        # Only the first source is looked into: there should be no other.
        errors += _source(given[0], metric[given[0]], path.child(given[0]))
    expected = _SOURCES.get(kind)
    if expected is None:
        errors.append(not_supported(path.child("type"), kind, _TYPES))
    elif metric.get(expected) is None:
        errors.append(required(path.child(expected), "must populate information for the given metric source"))
    if len(given) != 1:
        text = "must populate the given metric source only"
        errors += [forbidden(path.child(key), text) for key in given if key != expected]
    return errors


def _source(key: str, source: Object, path: Path) -> list[FieldError]:
    target, at = source.get("target") or {}, path.child("target")
    match key:
        case "object":
            errors = _target_reference(source.get("describedObject") or {}, path.child("describedObject"))
            errors += _identifier(source.get("metric") or {}, path.child("metric")) + _target(target, at)
            if target.get("value") is None and target.get("averageValue") is None:
                errors.append(required(at.child("averageValue"), "must set either a target value or averageValue"))
            return errors
        case "pods":
            errors = _identifier(source.get("metric") or {}, path.child("metric")) + _target(target, at)
            average = target.get("averageValue")
            if average is None or quantity.nano(average) <= 0:
                errors.append(required(at.child("averageValue"), "must specify a positive target averageValue"))
            return errors
        case "external":
            return _external(source, target, path)
    errors = []
    if key == "containerResource":
        container = source.get("container", "")
        if not container:
            errors.append(required(path.child("container"), "must specify a container"))
    return errors + _resource(key, source, target, path)


def _external(source: Object, target: Object, path: Path) -> list[FieldError]:
    at = path.child("target")
    errors = _identifier(source.get("metric") or {}, path.child("metric")) + _target(target, at)
    value, average = target.get("value"), target.get("averageValue")
    if value is None and average is None:
        errors.append(
            required(at.child("averageValue"), "must set either a target value for metric or a per-pod target")
        )
    if value is not None and average is not None:
        text = "may not set both a target value for metric and a per-pod target"
        errors.append(forbidden(at.child("value"), text))
    return errors


def _resource(key: str, source: Object, target: Object, path: Path) -> list[FieldError]:
    name, at = source.get("name", ""), path.child("target")
    errors: list[FieldError] = []
    if not name:
        errors.append(required(path.child("name"), "must specify a resource name"))
    elif key == "containerResource":
        errors += validate_container_resource_name(name, path.child("name"))
    if key == "containerResource" and source.get("container"):
        errors += [
            invalid(path.child("container"), source["container"], each) for each in names.dns_label(source["container"])
        ]
    errors += _target(target, at)
    utilization, average = target.get("averageUtilization"), target.get("averageValue")
    if utilization is None and average is None:
        errors.append(required(at.child("averageUtilization"), _NEED_TARGET))
    if utilization is not None and average is not None:
        text = "may not set both a target raw value and a target utilization"
        errors.append(forbidden(at.child("averageValue"), text))
    return errors


def _identifier(metric: Object, path: Path) -> list[FieldError]:
    """The selector is the metrics server's to understand: nobody checks it here."""
    name = metric.get("name", "")
    if not name:
        return [required(path.child("name"), "must specify a metric name")]
    return [invalid(path.child("name"), name, each) for each in names.path_segment(name)]


def _target(target: Object, path: Path) -> list[FieldError]:
    kind = target.get("type", "")
    errors: list[FieldError] = []
    if not kind:
        errors.append(required(path.child("type"), "must specify a metric target type"))
    if kind not in ("Utilization", "Value", "AverageValue"):
        errors.append(invalid(path.child("type"), kind, "must be either Utilization, Value, or AverageValue"))
    utilization = target.get("averageUtilization")
    for key in ("value",):
        value = target.get(key)
        if value is not None and quantity.nano(value) <= 0:
            errors.append(invalid(path.child(key), value, "must be positive"))
    if utilization is not None and utilization < 1:
        errors.append(invalid(path.child("averageUtilization"), utilization, "must be greater than 0"))
    average = target.get("averageValue")
    if average is not None and quantity.nano(average) <= 0:
        errors.append(invalid(path.child("averageValue"), average, "must be positive"))
    return errors


def _rules(rules: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    window = rules.get("stabilizationWindowSeconds")
    errors += not_negative(window, path.child("stabilizationWindowSeconds"))
    if window is not None and window > _WINDOW_MAX_S:
        text = f"must be less than or equal to {_WINDOW_MAX_S}"
        errors.append(invalid(path.child("stabilizationWindowSeconds"), window, text))
    select = rules.get("selectPolicy")
    if select is not None and select not in ("Disabled", "Max", "Min"):
        errors.append(not_supported(path.child("selectPolicy"), select, ("Disabled", "Max", "Min")))
    policies, at = rules.get("policies") or [], path.child("policies")
    if not policies:
        errors.append(required(at, "must specify at least one Policy"))
    for i, policy in enumerate(policies):
        errors += _policy(policy, at.index(i))
    tolerance = rules.get("tolerance")
    if tolerance is not None and quantity.nano(tolerance) < 0:
        errors.append(invalid(path.child("tolerance"), tolerance, NOT_NEGATIVE))
    return errors


def _policy(policy: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    kind, value, period = policy.get("type", ""), policy.get("value", 0), policy.get("periodSeconds", 0)
    if kind not in ("Pods", "Percent"):
        errors.append(not_supported(path.child("type"), kind, ("Percent", "Pods")))
    if value <= 0:
        errors.append(invalid(path.child("value"), value, "must be greater than zero"))
    if period <= 0:
        errors.append(invalid(path.child("periodSeconds"), period, "must be greater than zero"))
    if period > _PERIOD_MAX_S:
        errors.append(invalid(path.child("periodSeconds"), period, f"must be less than or equal to {_PERIOD_MAX_S}"))
    return errors
