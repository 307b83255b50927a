"""Nodes: machines that run pods."""

from __future__ import annotations

import ipaddress
from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid
from cybernetes.model.printing.core import NODES
from cybernetes.model.resource import GET_PATCH_UPDATE, Object, Resource, Subresource
from cybernetes.model.strategy import keep, standard, status_of
from cybernetes.model.validation import names
from cybernetes.model.validation.resources import validate_quantity_value
from cybernetes.model.validation.scheduling import validate_taint_effect


def _validate(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    return validate_taints(spec.get("taints") or [], Path("metadata").child("taints")) + _pod_ranges(spec)


def validate_taints(taints: list[dict[str, Any]], path: Path) -> list[FieldError]:
    """One taint a key and effect."""
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for i, taint in enumerate(taints):
        at = path.index(i)
        key, value, effect = taint.get("key", ""), taint.get("value", ""), taint.get("effect", "")
        errors += [invalid(at.child("key"), key, each) for each in names.qualified_name(key)]
        wrong = names.label_value(value)
        if wrong:
            errors.append(invalid(at.child("value"), value, ";".join(wrong)))
        errors += validate_taint_effect(effect, at.child("effect"), allow_empty=False)
        if (key, effect) in seen:
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": taint.get("timeAdded")}
            errors.append(duplicate(at, shown, "taints must be unique by key and effect pair"))
        seen.add((key, effect))
    return errors


def _pod_ranges(spec: dict[str, Any]) -> list[FieldError]:
    ranges, path = spec.get("podCIDRs") or [], Path("spec").child("podCIDRs")
    errors: list[FieldError] = []
    for i, each in enumerate(ranges):
        errors += [invalid(path.index(i), each, text) for text in names.legacy_cidr(each)]
    if errors:
        return errors
    families = [ipaddress.ip_network(each, strict=False).version for each in ranges]
    if len(ranges) > 2 or (len(ranges) == 2 and families[0] == families[1]):
        return [invalid(path, ranges, "may specify no more than one CIDR for each IP family")]
    return []


def _validate_update(obj: Object, old: Object) -> list[FieldError]:
    spec, before = obj.get("spec") or {}, old.get("spec") or {}
    errors = validate_taints(spec.get("taints") or [], Path("metadata").child("taints"))
    if before.get("podCIDRs") and spec.get("podCIDRs") != before["podCIDRs"]:
        text = 'node updates may not change podCIDR except from "" to valid'
        errors.append(forbidden(Path("spec").child("podCIDRs"), text))
    else:
        errors += _pod_ranges(spec)
    if before.get("providerID") and spec.get("providerID") != before["providerID"]:
        text = 'node updates may not change providerID except from "" to valid'
        errors.append(forbidden(Path("spec").child("providerID"), text))
    return errors


def _validate_status(obj: Object, old: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: list[Any] = []
    for i, address in enumerate((obj.get("status") or {}).get("addresses") or []):
        if address in seen:
            shown = {"Type": address.get("type", ""), "Address": address.get("address", "")}
            errors.append(duplicate(Path("status").child("addresses").index(i), shown))
        seen.append(address)
    for name in ("capacity", "allocatable"):
        amounts = (obj.get("status") or {}).get(name) or {}
        for resource, amount in sorted(amounts.items()):
            errors += validate_quantity_value(resource, amount, Path("status").child(name, resource))
    return errors


RESOURCE = Resource(
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    singular="node",
    namespaced=False,
    short_names=("no",),
    subresources=(
        Subresource(name="proxy", kind="NodeProxyOptions", verbs=("create", "delete", "get", "patch", "update")),
        Subresource(
            name="status",
            kind="Node",
            verbs=GET_PATCH_UPDATE,
            strategy=status_of(validate_update=_validate_status, reset_fields=(("spec",),)),
        ),
    ),
    storage_version_hash="XwShjMxG9Fs=",
    strategy=standard(
        namespaced=False,
        meta_checks_on_update=2,
        validate=_validate,
        validate_update=_validate_update,
        prepare_update=(keep("status"),),
        reset_fields=(("status",),),
    ),
    fields={"spec.unschedulable": lambda obj: "true" if (obj.get("spec") or {}).get("unschedulable") else "false"},
    columns=NODES,
    schema="io.k8s.api.core.v1.Node",
)
