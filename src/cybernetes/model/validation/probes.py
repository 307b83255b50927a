"""Probes and lifecycle hooks of containers, and the actions that both take.

source  Kubernetes, pkg/apis/core/validation: Probe, Lifecycle, LifecycleHandler
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import (
    FieldError,
    Path,
    forbidden,
    invalid,
    not_supported,
    required,
)
from cybernetes.model.validation import names
from cybernetes.model.validation.meta import not_negative
from cybernetes.model.validation.pod_view import PodView

Container = dict[str, Any]

_PROBE_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def validate_probes(container: Container, pod: PodView, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(key)
        if probe is None:
            continue
        at = path.child(key)
        errors += _validate_probe(probe, pod, at)
        if key != "readinessProbe" and probe.get("successThreshold", 0) != 1:
            errors.append(invalid(at.child("successThreshold"), probe.get("successThreshold", 0), "must be 1"))
        grace = probe.get("terminationGracePeriodSeconds")
        if key == "readinessProbe" and grace is not None:
            where = at.child("terminationGracePeriodSeconds")
            errors.append(invalid(where, grace, "must not be set for readinessProbes"))
    return errors


def _validate_probe(probe: dict[str, Any], pod: PodView, path: Path) -> list[FieldError]:
    errors = _validate_handler(probe, ("exec", "httpGet", "tcpSocket", "grpc"), pod, path)
    for key in _PROBE_NUMBERS:
        errors += not_negative(probe.get(key, 0), path.child(key))
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(invalid(path.child("terminationGracePeriodSeconds"), grace, "must be greater than 0"))
    return errors


def validate_hooks(lifecycle: dict[str, Any] | None, pod: PodView, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for key in ("postStart", "preStop"):
        hook = (lifecycle or {}).get(key)
        if hook is not None:
            errors += _validate_handler(hook, ("exec", "httpGet", "tcpSocket", "sleep"), pod, path.child(key))
    signal = (lifecycle or {}).get("stopSignal")
    if signal is not None and not pod.os:
        text = "may not be set for containers with empty `spec.os.name`"
        errors.append(forbidden(path.child("stopSignal"), text))
    return errors


def _validate_handler(handler: dict[str, Any], kinds: tuple[str, ...], pod: PodView, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    found = 0
    for kind in kinds:
        action = handler.get(kind)
        if action is None:
            continue
        if found:
            errors.append(forbidden(path.child(kind), "may not specify more than 1 handler type"))
        else:
            errors += _validate_action(kind, action, pod, path.child(kind))
        found += 1
    if not found:
        errors.append(required(path, "must specify a handler type"))
    return errors


def _validate_action(kind: str, action: dict[str, Any], pod: PodView, path: Path) -> list[FieldError]:
    match kind:
        case "exec":
            return [] if action.get("command") else [required(path.child("command"))]
        case "httpGet":
            return _validate_http_get(action, path)
        case "tcpSocket":
            return _validate_port_or_name(action.get("port", 0), path.child("port"))
        case "grpc":
            return [
                invalid(path.child("port"), action.get("port", 0), each)
                for each in names.port_number(action.get("port", 0))
            ]
        case "sleep":
            return _validate_sleep(action.get("seconds", 0), pod, path)
    return []


def _validate_sleep(seconds: int, pod: PodView, path: Path) -> list[FieldError]:
    if pod.grace_s is None or 0 <= seconds <= pod.grace_s:
        return []
    text = f"must be non-negative and less than terminationGracePeriodSeconds ({pod.grace_s})"
    return [invalid(path, seconds, text)]


def _validate_http_get(action: dict[str, Any], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    if not action.get("path"):
        errors.append(required(path.child("path")))
    errors += _validate_port_or_name(action.get("port", 0), path.child("port"))
    if action.get("scheme", "") not in ("HTTP", "HTTPS"):
        errors.append(not_supported(path.child("scheme"), action.get("scheme", ""), ("HTTP", "HTTPS")))
    for header in action.get("httpHeaders") or []:
        name = header.get("name", "")
        errors += [invalid(path.child("httpHeaders"), name, each) for each in names.http_header_name(name)]
    return errors


def _validate_port_or_name(port: int | str, path: Path) -> list[FieldError]:
    if isinstance(port, int):
        return [invalid(path, port, each) for each in names.port_number(port)]
    return [invalid(path, port, each) for each in names.port_name(port)]
