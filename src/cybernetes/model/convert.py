"""Conversions between the served versions of one stored object. Pure; objects in are not changed.

source  Kubernetes API reference: the versions of autoscaling, events, flowcontrol
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from cybernetes.base.errors import Bug
from cybernetes.model.schema.compile import kind_node
from cybernetes.model.schema.decode import decode

Object = dict[str, Any]
Convert = Callable[[Object], Object]

# core/v1 -> events.k8s.io/v1; all other fields of Events have one name.
_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_EVENT_FIELDS_BACK = {new: old for old, new in _EVENT_FIELDS.items()}

_AUTOSCALING = "autoscaling.alpha.kubernetes.io/"
# autoscaling/v1 annotation -> where v2 has the value.
_SCALER_ANNOTATIONS = {
    "metrics": ("spec", "metrics"),
    "behavior": ("spec", "behavior"),
    "current-metrics": ("status", "currentMetrics"),
    "conditions": ("status", "conditions"),
}


def between(source: str, target: str, kind: str) -> Convert:
    """The conversion of `kind` from one apiVersion to another. Raises Bug where there is none."""
    known: dict[tuple[str, str, str], Convert] = {
        ("events.k8s.io/v1", "v1", "Event"): lambda obj: _renamed(obj, "v1", _EVENT_FIELDS_BACK),
        ("v1", "events.k8s.io/v1", "Event"): lambda obj: _renamed(obj, "events.k8s.io/v1", _EVENT_FIELDS),
        ("autoscaling/v1", "autoscaling/v2", "HorizontalPodAutoscaler"): _scaler_to_v2,
        ("autoscaling/v2", "autoscaling/v1", "HorizontalPodAutoscaler"): _scaler_to_v1,
    }
    if (source, target, kind) not in known:
        raise Bug(f"there is no conversion of {kind} from {source} to {target}")
    return known[source, target, kind]


def _renamed(obj: Object, api_version: str, names: dict[str, str]) -> Object:
    converted = {names.get(key, key): value for key, value in obj.items()}
    if "apiVersion" in converted:
        converted["apiVersion"] = api_version
    return converted


def _scaler_to_v2(obj: Object) -> Object:
    new: Object = {**obj, "apiVersion": "autoscaling/v2"}
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    metadata = dict(obj["metadata"])
    annotations = dict(metadata.get("annotations") or {})
    told = _told(annotations)
    spec.update(told["spec"])
    status.update(told["status"])
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        spec["metrics"] = [_cpu("target", target), *(spec.get("metrics") or [])]
    current = status.pop("currentCPUUtilizationPercentage", None)
    if current is not None:
        status["currentMetrics"] = [_cpu("current", current), *(status.get("currentMetrics") or [])]
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)
    new["metadata"], new["spec"] = metadata, spec
    if "status" in obj or status:
        new["status"] = status
    return new


def _told(annotations: dict[str, str]) -> dict[str, Object]:
    """What annotations say of the newer version's fields; taken out of them. ApiError 400 for what does not fit there."""
    texts = {name: annotations.pop(_AUTOSCALING + name, None) for name in _SCALER_ANNOTATIONS}
    found: dict[str, Object] = {"spec": {}, "status": {}}
    for name, text in texts.items():
        if text is not None:
            part, field = _SCALER_ANNOTATIONS[name]
            body = orjson.dumps({part: {field: orjson.Fragment(text)}})
            found[part][field] = _of_scaler(body)[part].get(field)
    return found


def _of_scaler(body: bytes) -> Object:
    kind, version = "HorizontalPodAutoscaler", "autoscaling/v2"
    node = kind_node(version, kind)
    assert node is not None
    return decode(node, body, "application/json", kind=kind, api_version=version, field_validation="Ignore").object


def _scaler_to_v1(obj: Object) -> Object:
    new: Object = {**obj, "apiVersion": "autoscaling/v1"}
    spec, status = dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    metadata = dict(obj["metadata"])
    annotations = dict(metadata.get("annotations") or {})
    target, rest = _without_cpu(spec.get("metrics") or [], "target")
    if target is not None:
        spec["targetCPUUtilizationPercentage"] = target
        spec["metrics"] = rest
    current, rest = _without_cpu(status.get("currentMetrics") or [], "current")
    if current is not None:
        status["currentCPUUtilizationPercentage"] = current
        status["currentMetrics"] = rest
    for name, (part, field) in _SCALER_ANNOTATIONS.items():
        value = (spec if part == "spec" else status).pop(field, None)
        if value:
            annotations[_AUTOSCALING + name] = orjson.dumps(value).decode()
    if annotations:
        metadata["annotations"] = annotations
    new["metadata"], new["spec"] = metadata, spec
    if "status" in obj:
        new["status"] = status
    return new


def _cpu(side: str, percent: int) -> Object:
    value: Object = {"averageUtilization": percent}
    if side == "target":
        value["type"] = "Utilization"
    return {"type": "Resource", "resource": {"name": "cpu", side: value}}


def _without_cpu(metrics: list[Object], side: str) -> tuple[int | None, list[Object]]:
    """The utilization of the first metric on CPU, and the other metrics."""
    for at, metric in enumerate(metrics):
        resource = metric.get("resource", {})
        percent = resource.get(side, {}).get("averageUtilization")
        if metric.get("type") == "Resource" and resource.get("name") == "cpu" and percent is not None:
            return percent, metrics[:at] + metrics[at + 1 :]
    return None, metrics
