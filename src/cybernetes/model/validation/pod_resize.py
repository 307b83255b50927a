"""What the resize of a pod may change: cpu and memory of its containers, its sidecars and itself.

source  Kubernetes, pkg/apis/core/validation: PodResize, PodResizeContainerOrdering, PodLevelResourcesResize, ContainerResize
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, forbidden, invalid
from cybernetes.model.qos import qos_class

_SPEC = Path("spec")
_RESIZABLE = ("cpu", "memory")
_MIRROR = "kubernetes.io/config.mirror"


def same_containers(spec: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether both specs have the same containers in the same order, by their names."""
    return all(_names(spec, key) == _names(before, key) for key in ("containers", "initContainers"))


def validate_resize(obj: dict[str, Any], old: dict[str, Any]) -> list[FieldError]:
    """obj, old: whole pods; apart from their containers' resources and policies they are equal."""
    spec, before = obj["spec"], old["spec"]
    if _MIRROR in (old["metadata"].get("annotations") or {}):
        return [FieldError("FieldValueForbidden", "", "Forbidden: static pods cannot be resized")]
    moved = [error for key in ("containers", "initContainers") for error in _order(spec, before, key)]
    if moved:
        return moved
    errors: list[FieldError] = []
    if qos_class(spec) != qos_class(before):
        errors.append(invalid(_SPEC, qos_class(before), "Pod QOS Class may not change as a result of resizing"))
    errors += _pod_level(spec.get("resources"), before.get("resources"))
    for i, (new, was) in enumerate(zip(spec["containers"], before["containers"], strict=True)):
        errors += _removed(new.get("resources"), was.get("resources"), _SPEC.child("containers").index(i))
    for i, (new, was) in enumerate(zip(*(each.get("initContainers") or [] for each in (spec, before)), strict=True)):
        errors += _init(new, was, _SPEC.child("initContainers").index(i))
    if [_fixed(each) for each in spec["containers"]] != [_fixed(each) for each in before["containers"]]:
        errors.append(forbidden(_SPEC, "only cpu and memory resources are mutable"))
    return errors


def _names(spec: dict[str, Any], key: str) -> list[str]:
    return [each.get("name", "") for each in spec.get(key) or []]


def _order(spec: dict[str, Any], before: dict[str, Any], key: str) -> list[FieldError]:
    new, old = _names(spec, key), _names(before, key)
    if len(new) != len(old):
        return [forbidden(_SPEC.child(key), f"{key} may not be added or removed on resize")]
    text = f"{key} may not be renamed or reordered on resize"
    places = [i for i, (name, was) in enumerate(zip(new, old, strict=True)) if name != was]
    return [forbidden(_SPEC.child(key).index(i).child("name"), text) for i in places]


def _init(new: dict[str, Any], old: dict[str, Any], path: Path) -> list[FieldError]:
    if new == old:
        return []
    if old.get("restartPolicy") != "Always":
        return [forbidden(_SPEC, "resources for non-sidecar init containers are immutable")]
    errors = _removed(new.get("resources"), old.get("resources"), path)
    if _fixed(new) != _fixed(old):
        errors.append(forbidden(path, "only cpu and memory resources for init or sidecar containers are mutable"))
    return errors


def _pod_level(new: dict[str, Any] | None, old: dict[str, Any] | None) -> list[FieldError]:
    if old and not new:
        return [forbidden(_SPEC.child("resources"), "pod-level resources cannot be removed")]
    errors = [
        forbidden(_SPEC.child("resources", kind), f"pod-level resource {kind} cannot be removed")
        for kind in ("requests", "limits")
        if _lacks(new, old, kind)
    ]
    if _without_resizable(new) != _without_resizable(old):
        errors.append(forbidden(_SPEC, "only cpu and memory resources are mutable at pod-level"))
    return errors


def _removed(new: dict[str, Any] | None, old: dict[str, Any] | None, container: Path) -> list[FieldError]:
    return [
        forbidden(container.child("resources", kind), f"resource {kind} cannot be removed")
        for kind in ("requests", "limits")
        if _lacks(new, old, kind)
    ]


def _lacks(new: dict[str, Any] | None, old: dict[str, Any] | None, kind: str) -> bool:
    now = (new or {}).get(kind) or {}
    return any(name not in now for name in (old or {}).get(kind) or {})


def _fixed(container: dict[str, Any]) -> dict[str, Any]:
    return {**container, "resources": _without_resizable(container.get("resources"))}


def _without_resizable(resources: dict[str, Any] | None) -> dict[str, Any]:
    """Without what a resize may change; nothing is as good as something empty."""
    rest = dict(resources or {})
    for kind in ("requests", "limits"):
        rest[kind] = {name: value for name, value in (rest.get(kind) or {}).items() if name not in _RESIZABLE}
    return {key: value for key, value in rest.items() if value}
