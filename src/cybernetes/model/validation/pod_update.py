"""What an update of a pod may change: metadata, images, a deadline, more tolerations, fewer gates.

source  Kubernetes documentation "Pods", Pod update and replacement
"""

from __future__ import annotations

import copy
import json
from typing import Any

from cybernetes.model.field import FieldError, Path, forbidden, invalid, required
from cybernetes.model.validation import names

_SPEC = Path("spec")
_INT32_MAX = 2**31 - 1
_MUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate_spec_update(obj: dict[str, Any], old: dict[str, Any]) -> list[FieldError]:
    """obj, old: whole pods."""
    spec, before = obj.get("spec") or {}, old.get("spec") or {}
    errors: list[FieldError] = []
    for key in ("containers", "initContainers"):
        errors += _containers(spec.get(key) or [], before.get(key) or [], _SPEC.child(key))
    if any(each.reason == "FieldValueForbidden" for each in errors):
        return errors
    errors += _deadline(spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds"))
    errors += _tolerations(spec.get("tolerations") or [], before.get("tolerations") or [])
    errors += _gates(spec.get("schedulingGates") or [], before.get("schedulingGates") or [])
    restored = _without_mutable(spec, before)
    if restored != before:
        errors.append(forbidden(_SPEC, _MUTABLE + "\n" + _difference(restored, before)))
    return errors


def _containers(new: list[dict[str, Any]], old: list[dict[str, Any]], path: Path) -> list[FieldError]:
    if len(new) != len(old):
        return [forbidden(path, "pod updates may not add or remove containers")]
    errors: list[FieldError] = []
    for i, container in enumerate(new):
        image = container.get("image", "")
        if not image:
            errors.append(required(path.index(i).child("image")))
        elif image != image.strip():
            errors.append(invalid(path.index(i).child("image"), image, "must not have leading or trailing whitespace"))
    return errors


def _deadline(new: int | None, old: int | None) -> list[FieldError]:
    path = _SPEC.child("activeDeadlineSeconds")
    if new is not None:
        if not 0 <= new <= _INT32_MAX:
            return [invalid(path, new, names.between(0, _INT32_MAX))]
        if old is not None and old < new:
            return [invalid(path, new, "must be less than or equal to previous value")]
    elif old is not None:
        return [invalid(path, new, "must not update from a positive integer to nil value")]
    return []


def _tolerations(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> list[FieldError]:
    def without_seconds(toleration: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}

    kept = [without_seconds(each) for each in new]
    if all(without_seconds(each) in kept for each in old):
        return []
    text = "existing toleration can not be modified except its tolerationSeconds"
    return [forbidden(_SPEC.child("tolerations"), text)]


def _gates(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> list[FieldError]:
    before = {each.get("name") for each in old}
    return [
        forbidden(
            _SPEC.child("schedulingGates").index(i).child("name"),
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'",
        )
        for i, gate in enumerate(new)
        if gate.get("name") not in before
    ]


def _without_mutable(spec: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """`spec` with everything that may change put back to what it was."""
    restored = copy.deepcopy(spec)
    for key in ("containers", "initContainers"):
        for container, old in zip(restored.get(key) or [], before.get(key) or [], strict=False):
            _put_back(container, old, "image")
    for key in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        _put_back(restored, before, key)
    if before.get("terminationGracePeriodSeconds", 0) < 0 and restored.get("terminationGracePeriodSeconds") == 1:
        _put_back(restored, before, "terminationGracePeriodSeconds")
    if before.get("schedulingGates"):
        _put_back_while_gated(restored, before)
    return restored


def _put_back(target: dict[str, Any], source: dict[str, Any], key: str) -> None:
    if key in source:
        target[key] = source[key]
    else:
        target.pop(key, None)


def _put_back_while_gated(restored: dict[str, Any], before: dict[str, Any]) -> None:
    """A gated pod's node selector and required node affinity may become stricter."""
    selector, old_selector = restored.get("nodeSelector") or {}, before.get("nodeSelector") or {}
    if all(selector.get(key) == value for key, value in old_selector.items()):
        _put_back(restored, before, "nodeSelector")
    if not _required_terms(before):
        _put_back(restored, before, "affinity")


def _required_terms(spec: dict[str, Any]) -> list[Any]:
    node = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return (node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or []


# Lines of a difference that are shown of each side, and lines around it.
SHOWN_MAX, AROUND = 40, 3


def _difference(spec: dict[str, Any], before: dict[str, Any]) -> str:
    """Where the two differ, from the first line to the last, as a unified diff has it.

    The reference compares its internal structs; here it is the JSON.
    """
    old, new = _lines(before), _lines(spec)
    start = _same(old, new)
    end = _same(old[start:][::-1], new[start:][::-1])
    removed, added = old[start : len(old) - end], new[start : len(new) - end]
    head, tail = old[max(0, start - AROUND) : start], old[len(old) - end :][:AROUND]
    first, around = start - len(head) + 1, len(head) + len(tail)
    lines = [f"@@ -{first},{len(removed) + around} +{first},{len(added) + around} @@"]
    lines += [f" {each}" for each in head]
    lines += _marked("-", removed) + _marked("+", added)
    lines += [f" {each}" for each in tail]
    return "\n".join(lines) + "\n"


def _lines(spec: dict[str, Any]) -> list[str]:
    return json.dumps(spec, indent=1, sort_keys=True).split("\n")


def _same(left: list[str], right: list[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(left, right, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def _marked(mark: str, lines: list[str]) -> list[str]:
    shown = [mark + each for each in lines[:SHOWN_MAX]]
    left_off = len(lines) - len(shown)
    return [*shown, f"{mark}... {left_off} more lines"] if left_off else shown
