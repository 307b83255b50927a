"""What the status of a pod may say, whoever writes it.

source  Kubernetes, validation of pkg/apis/core: ValidatePodStatusUpdate
"""

from __future__ import annotations

from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid
from cybernetes.model.validation import names

Object = dict[str, Any]
_STATUS = Path("status")
# The reference looks for them there.
_CONDITIONS = Path("metadata").child("conditions")
# Every pod has these, and their names are good.
_OF_THE_SYSTEM = frozenset(("PodScheduled", "Ready", "Initialized", "ContainersReady", "PodReadyToStartContainers"))


def validate_pod_status(pod: Object, old: Object) -> list[FieldError]:
    spec, status, before = pod.get("spec") or {}, pod.get("status") or {}, old.get("status") or {}
    return [
        *_conditions(status.get("conditions") or []),
        *_nomination(status.get("nominatedNodeName", ""), before.get("nominatedNodeName", ""), spec),
        *_generation(status.get("observedGeneration"), _STATUS.child("observedGeneration")),
        *_claims(status.get("resourceClaimStatuses") or [], spec),
        *_addresses("podIPs", status, before),
        *_addresses("hostIPs", status, before),
    ]


def _generation(value: int | None, path: Path) -> list[FieldError]:
    return [invalid(path, value, "must be a non-negative integer")] if value is not None and value < 0 else []


def _conditions(conditions: list[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, each in enumerate(conditions):
        generation, kind = each.get("observedGeneration", 0), each["type"]
        if generation >= 0 and kind in _OF_THE_SYSTEM:
            continue
        path = _CONDITIONS.index(i)
        errors += _generation(generation, path.child("observedGeneration"))
        problems = names.qualified_name(kind) if kind not in _OF_THE_SYSTEM else ()
        errors += [invalid(path.child("Type"), kind, problem) for problem in problems]
    return errors


def _nomination(node: str, before: str, spec: Object) -> list[FieldError]:
    if not node or node == before:
        return []
    path = _STATUS.child("nominatedNodeName")
    errors = [invalid(path, node, problem) for problem in names.dns_subdomain(node)]
    if spec.get("nodeName"):
        errors.append(forbidden(path, "may not be set on pods that are already bound to a node"))
    return errors


def _claims(statuses: list[Object], spec: Object) -> list[FieldError]:
    claimed, seen = {each["name"] for each in spec.get("resourceClaims") or ()}, set()
    errors: list[FieldError] = []
    for i, each in enumerate(statuses):
        name, path = each["name"], _STATUS.child("resourceClaimStatuses").index(i)
        if name not in claimed:
            errors.append(invalid(path.child("name"), name, "must match the name of an entry in `spec.resourceClaims`"))
        if name in seen:
            errors.append(duplicate(path.child("name"), name))
        seen.add(name)
        claim = each.get("resourceClaimName")
        if claim is not None:
            problems = names.dns_subdomain(claim)
            errors += [invalid(path.child("resourceClaimName"), claim, problem) for problem in problems]
    return errors


def _addresses(field: str, status: Object, before: Object) -> list[FieldError]:
    """At most one of each family; what was there before, may stay whatever it is."""
    listed = [each.get("ip", "") for each in status.get(field) or ()]
    known = {each.get("ip", "") for each in before.get(field) or ()}
    path = _STATUS.child(field)
    errors = [
        invalid(path.index(i), ip, problem)
        for i, ip in enumerate(listed)
        if ip not in known
        for problem in names.legacy_ip_address(ip)
    ]
    if len(listed) > 1 and (len(listed) > 2 or len({":" in ip for ip in listed}) < 2):
        errors.append(invalid(path, status[field], "may specify no more than one IP for each IP family"))
    return errors
