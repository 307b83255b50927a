"""Rules of device classes, claims and slices.

source  "Validation" 5, resource
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from cybernetes.cel.errors import CelError
from cybernetes.cel.estimate import estimate
from cybernetes.model.expressions import places
from cybernetes.model.expressions.costs import SELECTOR_LIMIT
from cybernetes.model.field import (
    FieldError,
    Path,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
    too_many,
)
from cybernetes.model.validation import names
from cybernetes.model.validation.selectors import validate_node_selector

Object = dict[str, Any]
MODES = ("All", "ExactCount")
EFFECTS = ("NoExecute", "NoSchedule", "None")
EXPRESSION_MAX = 10 * 1024
REQUESTS_MAX, SELECTORS_MAX, CONSTRAINTS_MAX, CONFIGS_MAX, FIRST_MAX = 32, 32, 32, 32, 8
DEVICES_MAX, ATTRIBUTES_MAX, VALUE_MAX, DRIVER_MAX, IDENTIFIER_MAX = 128, 32, 64, 63, 32
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?\Z")
_NODE_CHOICES = "`nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection`"


def validate_device_class(device_class: Object) -> list[FieldError]:
    spec, path = device_class["spec"], Path("spec")
    errors = selectors(spec.get("selectors") or [], path.child("selectors"))
    for i, each in enumerate(spec.get("config") or ()):
        errors += _opaque(each, path.child("config").index(i))
    return errors


def selectors(listed: Sequence[Object], path: Path) -> list[FieldError]:
    """Expressions that choose devices."""
    if len(listed) > SELECTORS_MAX:
        return [too_many(path, len(listed), SELECTORS_MAX)]
    errors: list[FieldError] = []
    for i, each in enumerate(listed):
        where = path.index(i).child("cel")
        if each.get("cel") is None:
            errors.append(required(where))
            continue
        errors += _expression(each["cel"]["expression"], where.child("expression"))
    return errors


def _expression(text: str, path: Path) -> list[FieldError]:
    if len(text) > EXPRESSION_MAX:
        return [too_long(path, EXPRESSION_MAX)]
    try:
        program = places.device().compile(text)
    except CelError as error:
        return [invalid(path, text, f"compilation failed: {error}")]
    if program.type.kind in ("bool", "dyn"):
        too_much = estimate(program.tree).most > SELECTOR_LIMIT
        return [forbidden(path, "too complex, exceeds cost limit")] if too_much else []
    return [invalid(path, text, f"must evaluate to bool or the unknown type, not {program.type}")]


def _opaque(config: Object, path: Path) -> list[FieldError]:
    opaque = config.get("opaque")
    if opaque is None:
        return [required(path.child("opaque"))]
    where = path.child("opaque")
    errors = _driver(opaque["driver"], where.child("driver"))
    parameters = opaque.get("parameters")
    if parameters is None:
        errors.append(required(where.child("parameters")))
    elif not isinstance(parameters, dict):
        errors.append(invalid(where.child("parameters"), "<value omitted>", "must be a valid JSON object"))
    return errors


def _driver(name: str, path: Path) -> list[FieldError]:
    if not name:
        return [required(path)]
    errors = [too_long(path, DRIVER_MAX)] if len(name) > DRIVER_MAX else []
    return errors + [invalid(path, name, each) for each in names.dns_subdomain(name)]


def validate_claim(claim: Object) -> list[FieldError]:
    return claim_spec(claim["spec"], Path("spec"))


def validate_claim_template(template: Object) -> list[FieldError]:
    return claim_spec(template["spec"]["spec"], Path("spec").child("spec"))


def claim_spec(spec: Object, path: Path) -> list[FieldError]:
    devices, where = spec["devices"], path.child("devices")
    requests = devices.get("requests") or []
    known = _request_names(requests)
    errors: list[FieldError] = []
    if len(requests) > REQUESTS_MAX:
        errors.append(too_many(where.child("requests"), len(requests), REQUESTS_MAX))
    seen: set[str] = set()
    for i, each in enumerate(requests):
        at = where.child("requests").index(i)
        errors += _request(each, at)
        if each["name"] and each["name"] in seen:
            errors.append(duplicate(at, each["name"]))
        seen.add(each["name"])
    for i, each in enumerate(devices.get("constraints") or ()):
        errors += _constraint(each, known, where.child("constraints").index(i))
    for i, each in enumerate(devices.get("config") or ()):
        at = where.child("config").index(i)
        errors += _references(each.get("requests") or [], known, at.child("requests")) + _opaque(each, at)
    return errors


def _request_names(requests: Iterable[Object]) -> set[str]:
    found: set[str] = set()
    for each in requests:
        found.add(each["name"])
        found |= {f"{each['name']}/{sub['name']}" for sub in each.get("firstAvailable") or ()}
    return found


def _request(request: Object, path: Path) -> list[FieldError]:
    errors = [invalid(path.child("name"), request["name"], each) for each in names.dns_label(request["name"])]
    exactly, first = request.get("exactly"), request.get("firstAvailable") or []
    if exactly is None and not first:
        errors.append(required(path, "exactly one of `exactly` or `firstAvailable` is required"))
    elif exactly is not None and first:
        detail = "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"
        errors.append(invalid(path, None, detail))
    elif exactly is not None:
        errors += _exact(exactly, path.child("exactly"))
    else:
        errors += _first_available(first, path.child("firstAvailable"))
    return errors


def _first_available(first: Sequence[Object], path: Path) -> list[FieldError]:
    if len(first) > FIRST_MAX:
        return [too_many(path, len(first), FIRST_MAX)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, each in enumerate(first):
        at = path.index(i)
        errors += [invalid(at.child("name"), each["name"], problem) for problem in names.dns_label(each["name"])]
        if each["name"] in seen:
            errors.append(duplicate(at, each["name"]))
        seen.add(each["name"])
        errors += _exact(each, at)
    return errors


def _exact(request: Object, path: Path) -> list[FieldError]:
    name = request["deviceClassName"]
    where = path.child("deviceClassName")
    errors = [required(where)] if not name else [invalid(where, name, each) for each in names.dns_subdomain(name)]
    errors += selectors(request.get("selectors") or [], path.child("selectors"))
    mode, count = request.get("allocationMode"), request.get("count") or 0
    if mode == "All":
        if count:
            detail = f"must not be specified when allocationMode is '{mode}'"
            errors.append(invalid(path.child("count"), count, detail))
    elif mode == "ExactCount":
        if count <= 0:
            errors.append(invalid(path.child("count"), count, "must be greater than zero"))
    else:
        errors.append(not_supported(path.child("allocationMode"), mode, MODES))
    for i, each in enumerate(request.get("tolerations") or ()):
        errors += _toleration(each, path.child("tolerations").index(i))
    return errors


def _toleration(toleration: Object, path: Path) -> list[FieldError]:
    errors = []
    key, operator = toleration.get("key", ""), toleration.get("operator", "")
    if key:
        errors += [invalid(path.child("key"), key, each) for each in names.qualified_name(key)]
    if operator == "Exists":
        if toleration.get("value"):
            errors.append(invalid(path.child("value"), toleration["value"], "must be empty for operator `Exists`"))
    elif operator == "Equal":
        value = toleration.get("value", "")
        errors += [invalid(path.child("value"), value, each) for each in names.label_value(value)]
    elif not operator:
        errors.append(required(path.child("operator")))
    else:
        errors.append(not_supported(path.child("operator"), operator, ("Equal", "Exists")))
    effect = toleration.get("effect")
    if effect and effect not in EFFECTS:
        errors.append(not_supported(path.child("effect"), effect, EFFECTS))
    return errors


def _constraint(constraint: Object, known: set[str], path: Path) -> list[FieldError]:
    errors = _references(constraint.get("requests") or [], known, path.child("requests"))
    match, distinct = constraint.get("matchAttribute"), constraint.get("distinctAttribute")
    if match is not None and distinct is None:
        return errors + fully_qualified(match, path.child("matchAttribute"))
    if distinct is not None and match is None:
        return errors + fully_qualified(distinct, path.child("distinctAttribute"))
    # The reference says so in both cases.
    detail = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
    return [*errors, required(path, detail)]


def _references(listed: Sequence[str], known: set[str], path: Path) -> list[FieldError]:
    errors = []
    for i, each in enumerate(listed):
        at = path.index(i)
        if each in listed[:i]:
            errors.append(duplicate(at, each))
            continue
        for part in each.split("/", 1):
            errors += [invalid(at, part, problem) for problem in names.dns_label(part)]
        if each not in known:
            detail = (
                "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
            )
            errors.append(invalid(at, each, detail))
    return errors


def qualified(name: str, path: Path) -> list[FieldError]:
    """An attribute's name: an identifier, perhaps in a domain."""
    domain, slash, identifier = name.rpartition("/")
    errors = []
    if slash:
        if not domain:
            errors.append(invalid(path, "", "the domain must not be empty"))
        else:
            errors += _domain(domain, path)
        if not identifier:
            return [*errors, invalid(path, "", "the name must not be empty")]
    if not identifier:
        return [*errors, required(path)]
    if len(identifier) > IDENTIFIER_MAX:
        errors.append(too_long(path, IDENTIFIER_MAX))
    return errors + [invalid(path, identifier, each) for each in names.c_identifier(identifier)]


def _domain(domain: str, path: Path) -> list[FieldError]:
    errors = [too_long(path, DRIVER_MAX)] if len(domain) > DRIVER_MAX else []
    return errors + [invalid(path, domain, each) for each in names.dns_subdomain(domain)]


def fully_qualified(name: str, path: Path) -> list[FieldError]:
    errors = qualified(name, path)
    if name and "/" not in name:
        errors.append(invalid(path, name, "a fully qualified name must be a domain and a name separated by a slash"))
    return errors


def validate_slice(piece: Object) -> list[FieldError]:
    spec, path = piece["spec"], Path("spec")
    errors = _driver(spec["driver"], path.child("driver"))
    errors += _pool(spec["pool"], path.child("pool"))
    errors += _nodes(spec, path)
    devices = spec.get("devices") or []
    if len(devices) > DEVICES_MAX:
        errors.append(too_many(path.child("devices"), len(devices), DEVICES_MAX))
    seen: set[str] = set()
    for i, each in enumerate(devices):
        at = path.child("devices").index(i)
        errors += _device(each, at)
        if each["name"] in seen:
            errors.append(duplicate(at, each["name"]))
        seen.add(each["name"])
    return errors


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
        errors += _driver(chosen["driver"], where.child("driver"))
    if chosen.get("device") is not None:
        name = chosen["device"]
        errors += [invalid(where.child("device"), name, each) for each in names.dns_label(name)]
    return errors + taint(spec["taint"], path.child("taint"))


def immutable_spec(new: Object, old: Object) -> list[FieldError]:
    if new["spec"] == old["spec"]:
        return []
    return [invalid(Path("spec"), new["spec"], "field is immutable")]
