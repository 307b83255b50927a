"""Rules of flow schemas and priority levels.

source  Kubernetes, pkg/apis/flowcontrol/validation
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from cybernetes.model.fairness import EXEMPT, MANDATORY_LEVELS, MANDATORY_SCHEMAS
from cybernetes.model.field import FieldError, Path, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names

Object = dict[str, Any]
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
PRECEDENCE_MAX = 10000
QUEUES_MAX = 10_000_000
ENTROPY_MAX = 60
_NAMESPACES = "each member of this list must be '*' or a DNS-1123 label; "


def validate_flow_schema(schema: Object) -> list[FieldError]:
    spec, path = schema["spec"], Path("spec")
    errors = []
    precedence = spec["matchingPrecedence"]
    where = path.child("matchingPrecedence")
    if precedence <= 0:
        errors.append(invalid(where, precedence, "must be a positive value"))
    if precedence > PRECEDENCE_MAX:
        errors.append(invalid(where, precedence, f"must not be greater than {PRECEDENCE_MAX}"))
    if precedence == 1 and schema["metadata"].get("name") != EXEMPT:
        errors.append(invalid(where, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"))
    method = spec.get("distinguisherMethod")
    if method is not None and method["type"] not in ("ByNamespace", "ByUser"):
        shown = {"Type": method["type"]}
        errors.append(not_supported(path.child("distinguisherMethod", "type"), shown, ("ByNamespace", "ByUser")))
    level = spec["priorityLevelConfiguration"]["name"]
    at = path.child("priorityLevelConfiguration", "name")
    if not level:
        errors.append(required(at, "must reference a priority level"))
    else:
        errors += [invalid(at, level, each) for each in names.dns_subdomain(level)]
    for i, each in enumerate(spec.get("rules") or ()):
        errors += _rules(each, path.child("rules").index(i))
    name = schema["metadata"].get("name")
    if name in MANDATORY_SCHEMAS and spec != MANDATORY_SCHEMAS[name]:
        errors.append(invalid(path, spec, f"spec of '{name}' must equal the fixed value"))
    return errors


def _rules(rules: Object, path: Path) -> list[FieldError]:
    errors = []
    if not rules.get("subjects"):
        errors.append(required(path.child("subjects"), "subjects must contain at least one value"))
    for i, each in enumerate(rules.get("subjects") or ()):
        errors += _subject(each, path.child("subjects").index(i))
    if not rules.get("resourceRules") and not rules.get("nonResourceRules"):
        errors.append(required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    for i, each in enumerate(rules.get("resourceRules") or ()):
        errors += _resource_rule(each, path.child("resourceRules").index(i))
    for i, each in enumerate(rules.get("nonResourceRules") or ()):
        errors += _url_rule(each, path.child("nonResourceRules").index(i))
    return errors


_SUBJECTS = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}


def _subject(subject: Object, path: Path) -> list[FieldError]:
    kind = subject["kind"]
    if kind not in _SUBJECTS:
        return [not_supported(path.child("kind"), kind, tuple(_SUBJECTS))]
    errors = []
    for other, name in (("ServiceAccount", "serviceAccount"), ("User", "user"), ("Group", "group")):
        where, value = path.child(name), subject.get(name)
        if other != kind and value is not None:
            errors.append(forbidden(where, f"{name} is forbidden when subject kind is not '{other}'"))
        elif other == kind and value is None:
            errors.append(required(where, f"{name} is required when subject kind is '{other}'"))
        elif other == kind and value is not None:
            errors += _account(value, where) if name == "serviceAccount" else _named(value, where)
    return errors


def _named(value: Object, path: Path) -> list[FieldError]:
    return [] if value["name"] else [required(path.child("name"))]


def _account(account: Object, path: Path) -> list[FieldError]:
    errors = []
    name, namespace = account["name"], account["namespace"]
    if not name:
        errors.append(required(path.child("name")))
    elif name != "*":
        errors += [invalid(path.child("name"), name, each) for each in names.dns_subdomain(name)]
    if not namespace:
        errors.append(required(path.child("namespace"), "must specify namespace for service account"))
    else:
        errors += [invalid(path.child("namespace"), namespace, each) for each in names.dns_label(namespace)]
    return errors


def _verbs(verbs: Sequence[str], path: Path) -> list[FieldError]:
    if not verbs:
        return [required(path, "verbs must contain at least one value")]
    if "*" in verbs:
        wrong = len(verbs) > 1
        return [invalid(path, verbs, "if '*' is present, must not specify other verbs")] if wrong else []
    return [] if all(each in VERBS for each in verbs) else [not_supported(path, verbs, VERBS)]


def _resource_rule(rule: Object, path: Path) -> list[FieldError]:
    errors = _verbs(rule.get("verbs") or [], path.child("verbs"))
    for name, what, others in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        listed = rule.get(name) or []
        if not listed:
            errors.append(required(path.child(name), f"resource rules must supply at least one {what}"))
        elif len(listed) > 1 and "*" in listed:
            errors.append(invalid(path.child(name), listed, f"if '*' is present, must not specify other {others}"))
    namespaces, where = rule.get("namespaces") or [], path.child("namespaces")
    if not namespaces and not rule.get("clusterScope"):
        detail = "resource rules that are not cluster scoped must supply at least one namespace"
        errors.append(required(where, detail))
    elif len(namespaces) > 1 and "*" in namespaces:
        errors.append(invalid(where, namespaces, "if '*' is present, must not specify other namespaces"))
    else:
        for i, each in enumerate(namespaces):
            problems = names.dns_label(each) if each != "*" else []
            errors += [invalid(where.index(i), each, _NAMESPACES + problem) for problem in problems]
    return errors


def _url_rule(rule: Object, path: Path) -> list[FieldError]:
    errors = _verbs(rule.get("verbs") or [], path.child("verbs"))
    urls, where = rule.get("nonResourceURLs") or [], path.child("nonResourceURLs")
    if not urls:
        errors.append(required(where, "nonResourceURLs must contain at least one value"))
    elif len(urls) > 1 and "*" in urls:
        errors.append(invalid(where, urls, "if '*' is present, must not specify other non-resource URLs"))
    elif urls != ["*"]:
        for i, each in enumerate(urls):
            problem = _url_problem(each)
            if problem:
                errors.append(invalid(where.index(i), each, problem))
    return errors


def _url_problem(url: str) -> str:
    if not url:
        return "must not be empty"
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    at = url.find("*")
    return "wildcard can only do suffix matching" if at >= 0 and (at != len(url) - 1 or url[at - 1] != "/") else ""


def validate_priority_level(level: Object) -> list[FieldError]:
    return [*_priority_level(level), *_mandatory_level(level)]


def _mandatory_level(level: Object) -> list[FieldError]:
    """What every API server relies on may not be changed, but for the shares of what is exempt."""
    name, spec, path = level["metadata"].get("name"), level["spec"], Path("spec")
    if name not in MANDATORY_LEVELS:
        return []
    if name != EXEMPT:
        fixed, what = MANDATORY_LEVELS[name], f"spec of '{name}'"
    else:
        fixed = {"type": "Exempt", **({"exempt": spec["exempt"]} if "exempt" in spec else {})}
        what = f"spec of '{name}' except the 'spec.exempt' field"
    return [] if spec == fixed else [invalid(path, spec, f"{what} must equal the fixed value")]


def _priority_level(level: Object) -> list[FieldError]:
    spec, path = level["spec"], Path("spec")
    kind = spec["type"]
    errors = []
    if (level["metadata"].get("name") == EXEMPT) != (kind == "Exempt"):
        errors.append(invalid(path.child("type"), kind, "must be 'Exempt' if and only if `name` is 'exempt'"))
    if kind == "Exempt":
        if spec.get("limited") is not None:
            errors.append(forbidden(path.child("limited"), "must be nil if the type is not Limited"))
        if spec.get("exempt") is not None:
            errors += _shares(spec["exempt"], path.child("exempt"))
        return errors
    if kind != "Limited":
        return [*errors, not_supported(path.child("type"), kind, ("Exempt", "Limited"))]
    if spec.get("exempt") is not None:
        errors.append(forbidden(path.child("exempt"), "must be nil if the type is Limited"))
    if spec.get("limited") is None:
        return [*errors, required(path.child("limited"), "must not be empty when type is Limited")]
    return errors + _limited(spec["limited"], path.child("limited"))


def _shares(level: Object, path: Path) -> list[FieldError]:
    errors = []
    shares = level.get("nominalConcurrencyShares")
    if shares is not None and shares < 0:
        errors.append(invalid(path.child("nominalConcurrencyShares"), shares, "must be a non-negative integer"))
    lent = level.get("lendablePercent")
    if lent is not None and not 0 <= lent <= 100:
        errors.append(invalid(path.child("lendablePercent"), lent, "must be between 0 and 100, inclusive"))
    return errors


def _limited(level: Object, path: Path) -> list[FieldError]:
    errors = _shares(level, path)
    borrowed = level.get("borrowingLimitPercent")
    if borrowed is not None and borrowed < 0:
        detail = "if specified, must be a non-negative integer"
        errors.append(invalid(path.child("borrowingLimitPercent"), borrowed, detail))
    response, where = level["limitResponse"], path.child("limitResponse")
    kind, queuing = response["type"], response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            detail = "must be nil if limited.limitResponse.type is not Limited"
            errors.append(forbidden(where.child("queuing"), detail))
    elif kind != "Queue":
        errors.append(not_supported(where.child("type"), kind, ("Queue", "Reject")))
    elif queuing is None:
        detail = "must not be empty if limited.limitResponse.type is Limited"
        errors.append(required(where.child("queuing"), detail))
    else:
        errors += _queuing(queuing, where.child("queuing"))
    return errors


def _queuing(queuing: Object, path: Path) -> list[FieldError]:
    errors = []
    length, queues, hand = queuing["queueLengthLimit"], queuing["queues"], queuing["handSize"]
    if length <= 0:
        errors.append(invalid(path.child("queueLengthLimit"), length, "must be positive"))
    if queues <= 0:
        errors.append(invalid(path.child("queues"), queues, "must be positive"))
    if queues > QUEUES_MAX:
        errors.append(invalid(path.child("queues"), queues, f"must not be greater than {QUEUES_MAX}"))
    where = path.child("handSize")
    if hand <= 0:
        errors.append(invalid(where, hand, "must be positive"))
    elif hand > queues:
        errors.append(invalid(where, hand, f"should not be greater than queues ({queues})"))
    elif _entropy_bits(queues, hand) > ENTROPY_MAX:
        detail = (
            f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {ENTROPY_MAX}"
        )
        errors.append(invalid(where, hand, detail))
    return errors


def _entropy_bits(queues: int, hand: int) -> int:
    """How many random bits dealing a hand of queues takes."""
    return math.ceil(sum(math.log2(queues - i) for i in range(hand)))
