"""Horizontal pod autoscalers of both versions."""

from __future__ import annotations

from typing import Any

CPU_UTILIZATION = 80


def autoscaler_v1(spec: dict[str, Any]) -> None:
    spec.setdefault("minReplicas", 1)


def autoscaler_v2(spec: dict[str, Any]) -> None:
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": CPU_UTILIZATION}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        down = behavior.pop("scaleDown", None)
        behavior["scaleUp"] = _complete(behavior.get("scaleUp"), _scale_up())
        behavior["scaleDown"] = _complete(down, _scale_down())


def _complete(given: dict[str, Any] | None, fallback: dict[str, Any]) -> dict[str, Any]:
    """The fallback with everything that is given, in the order of the struct."""
    merged = {**fallback, **{name: value for name, value in (given or {}).items() if value is not None}}
    order = ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")
    return {name: merged[name] for name in order if name in merged}


def _scale_up() -> dict[str, Any]:
    policies = [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    return {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": policies}


def _scale_down() -> dict[str, Any]:
    return {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}


DEFAULTS = {
    "io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerSpec": autoscaler_v1,
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec": autoscaler_v2,
}
