"""Rules of device classes and claims, and of the names in them.

source  Kubernetes, pkg/apis/resource/validation
"""

from __future__ import annotations

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

Object = dict[str, Any]
MODES = ("All", "ExactCount")
EFFECTS = ("NoExecute", "NoSchedule", "None")
EXPRESSION_MAX = 10 * 1024
REQUESTS_MAX, SELECTORS_MAX, CONSTRAINTS_MAX, CONFIGS_MAX, FIRST_MAX = 32, 32, 32, 32, 8
DRIVER_MAX, IDENTIFIER_MAX = 63, 32


def validate_device_class(device_class: Object) -> list[FieldError]:
    spec, path = device_class["spec"], Path("spec")
    errors = selectors(spec.get("selectors") or [], path.child("selectors"))
    configs, at = spec.get("config") or [], path.child("config")
    errors += at_most(configs, CONFIGS_MAX, at)
    for i, each in enumerate(configs):
        errors += _opaque(each, at.index(i))
    return errors


def at_most(listed: Sequence[Object], limit: int, path: Path) -> list[FieldError]:
    return [too_many(path, len(listed), limit)] if len(listed) > limit else []


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
    errors = driver_name(opaque["driver"], where.child("driver"))
    parameters = opaque.get("parameters")
    if parameters is None:
        errors.append(required(where.child("parameters")))
    elif not isinstance(parameters, dict):
        errors.append(invalid(where.child("parameters"), "<value omitted>", "must be a valid JSON object"))
    return errors


def driver_name(name: str, path: Path) -> list[FieldError]:
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
    errors = at_most(requests, REQUESTS_MAX, where.child("requests"))
    seen: set[str] = set()
    for i, each in enumerate(requests):
        at = where.child("requests").index(i)
        errors += _request(each, at)
        if each["name"] and each["name"] in seen:
            errors.append(duplicate(at, each["name"]))
        seen.add(each["name"])
    constraints, configs = devices.get("constraints") or [], devices.get("config") or []
    errors += at_most(constraints, CONSTRAINTS_MAX, where.child("constraints"))
    for i, each in enumerate(constraints):
        errors += _constraint(each, known, where.child("constraints").index(i))
    errors += at_most(configs, CONFIGS_MAX, where.child("config"))
    for i, each in enumerate(configs):
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


def immutable_spec(new: Object, old: Object) -> list[FieldError]:
    if new["spec"] == old["spec"]:
        return []
    return [invalid(Path("spec"), new["spec"], "field is immutable")]
