"""Rules of resource slices and of taints of devices.

source  Kubernetes, pkg/apis/resource/validation: ResourceSlice
"""

from __future__ import annotations

import re
from typing import Any

from cybernetes.model.field import FieldError, Path, duplicate, invalid, not_supported, required, too_long
from cybernetes.model.validation import names
from cybernetes.model.validation.devices import EFFECTS, at_most, driver_name, qualified
from cybernetes.model.validation.meta import IMMUTABLE
from cybernetes.model.validation.selectors import validate_node_selector

Object = dict[str, Any]
DEVICES_MAX, ATTRIBUTES_MAX, VALUE_MAX = 128, 32, 64
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?\Z")
_NODE_CHOICES = "`nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection`"


def validate_slice(piece: Object) -> list[FieldError]:
    spec, path = piece["spec"], Path("spec")
    errors = driver_name(spec["driver"], path.child("driver"))
    errors += _pool(spec["pool"], path.child("pool"))
    errors += _nodes(spec, path)
    devices = spec.get("devices") or []
    errors += at_most(devices, DEVICES_MAX, path.child("devices"))
    seen: set[str] = set()
    for i, each in enumerate(devices):
        at = path.child("devices").index(i)
        errors += _device(each, at)
        if each["name"] in seen:
            errors.append(duplicate(at, each["name"]))
        seen.add(each["name"])
    return errors


def validate_slice_update(piece: Object, old: Object) -> list[FieldError]:
    """Whose devices they are, and where, stays."""
    errors = validate_slice(piece)
    for steps in (("pool", "name"), ("driver",), ("nodeName",)):
        new, before = _at(piece["spec"], steps), _at(old["spec"], steps)
        if new != before:
            errors.append(invalid(Path("spec").child(*steps), new, IMMUTABLE))
    return errors


def _at(value: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        value = value.get(step)
    return value


def _pool(pool: Object, path: Path) -> list[FieldError]:
    errors = []
    name, where = pool["name"], path.child("name")
    if not name:
        errors.append(required(where))
    else:
        for part in name.split("/"):
            errors += [invalid(where, part, each) for each in names.dns_subdomain(part)]
    if pool["resourceSliceCount"] <= 0:
        count = pool["resourceSliceCount"]
        errors.append(invalid(path.child("resourceSliceCount"), count, "must be greater than zero"))
    if pool["generation"] < 0:
        detail = "must be greater than or equal to zero"
        errors.append(invalid(path.child("generation"), pool["generation"], detail))
    return errors


def _nodes(spec: Object, path: Path) -> list[FieldError]:
    """From which nodes the devices can be reached: said once."""
    errors: list[FieldError] = []
    chosen = 0
    name = spec.get("nodeName")
    if name is not None:
        chosen += 1 if name else 0
        if not name:
            detail = "must be either unset or set to a non-empty string"
            errors.append(invalid(path.child("nodeName"), name, detail))
        else:
            errors += [invalid(path.child("nodeName"), name, each) for each in names.dns_subdomain(name)]
    selector = spec.get("nodeSelector")
    if selector is not None:
        chosen += 1
        where = path.child("nodeSelector")
        terms = selector.get("nodeSelectorTerms") or []
        if len(terms) != 1:
            detail = "must have exactly one node selector term"
            errors.append(invalid(where.child("nodeSelectorTerms"), terms, detail))
        else:
            errors += validate_node_selector(selector, where)
    for flag in ("allNodes", "perDeviceNodeSelection"):
        value = spec.get(flag)
        if value is not None:
            chosen += 1
            if not value:
                errors.append(invalid(path.child(flag), value, "must be either unset or set to true"))
    if chosen == 0:
        errors.append(required(path, f"exactly one of {_NODE_CHOICES} is required"))
    elif chosen > 1:
        detail = f"exactly one of {_NODE_CHOICES} is required, but multiple fields are set"
        errors.append(invalid(path, None, detail))
    return errors


def _device(device: Object, path: Path) -> list[FieldError]:
    name = device["name"]
    errors = [invalid(path.child("name"), name, each) for each in names.dns_label(name)]
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    if len(attributes) + len(capacity) > ATTRIBUTES_MAX:
        detail = f"the total number of attributes and capacities must not exceed {ATTRIBUTES_MAX}"
        errors.append(invalid(path, len(attributes) + len(capacity), detail))
    for key, each in attributes.items():
        at = path.child("attributes").key(key)
        errors += qualified(key, at) + _attribute(each, at)
    for key in capacity:
        errors += qualified(key, path.child("capacity").key(key))
    for i, each in enumerate(device.get("taints") or ()):
        errors += taint(each, path.child("taints").index(i))
    return errors


def _attribute(attribute: Object, path: Path) -> list[FieldError]:
    kinds = ("bool", "int", "string", "version")
    chosen = [name for name in kinds if attribute.get(name) is not None]
    errors = []
    text = attribute.get("string")
    if text is not None and len(text) > VALUE_MAX:
        errors.append(too_long(path.child("string"), VALUE_MAX))
    version = attribute.get("version")
    if version is not None and not _SEMVER.match(version):
        detail = "must be a string compatible with semver.org spec 2.0.0"
        errors.append(invalid(path.child("version"), version, detail))
    if len(chosen) != 1:
        errors.append(invalid(path, "" if not chosen else attribute, "exactly one value must be specified"))
    return errors


def taint(each: Object, path: Path) -> list[FieldError]:
    errors = [invalid(path.child("key"), each["key"], problem) for problem in names.qualified_name(each["key"])]
    value = each.get("value")
    if value:
        errors += [invalid(path.child("value"), value, problem) for problem in names.label_value(value)]
    if not each["effect"]:
        errors.append(required(path.child("effect")))
    elif each["effect"] not in EFFECTS:
        errors.append(not_supported(path.child("effect"), each["effect"], EFFECTS))
    return errors


def validate_taint_rule(rule: Object) -> list[FieldError]:
    spec, path = rule["spec"], Path("spec")
    chosen = spec.get("deviceSelector") or {}
    errors: list[FieldError] = []
    where = path.child("deviceSelector")
    if chosen.get("driver") is not None:
        errors += driver_name(chosen["driver"], where.child("driver"))
    if chosen.get("device") is not None:
        name = chosen["device"]
        errors += [invalid(where.child("device"), name, each) for each in names.dns_label(name)]
    return errors + taint(spec["taint"], path.child("taint"))
