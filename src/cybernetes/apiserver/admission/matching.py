"""Which writes a webhook or policy looks at: rules, selectors, conditions. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.admission.scope import Budget, Failed, evaluate
from cybernetes.auth.authz import joined
from cybernetes.auth.lister import Lister
from cybernetes.cel.environment import Environment
from cybernetes.cel.errors import CelError
from cybernetes.model import selector
from cybernetes.model.expressions.costs import CONDITIONS_BUDGET

Object = dict[str, Any]

GROUP = "admissionregistration.k8s.io"
# What decides about admission must not be able to lock itself away.
_EXEMPT = frozenset(
    (
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    )
)

_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


def is_exempt(group: str, plural: str) -> bool:
    return group == GROUP and plural in _EXEMPT


def rules_match(rules: Iterable[Object], attributes: AdmissionAttributes) -> bool:
    return any(_rule_matches(each, attributes) for each in rules)


def _rule_matches(rule: Object, a: AdmissionAttributes) -> bool:
    names = rule.get("resourceNames")
    return (
        _has(rule.get("operations"), a.operation)
        and _has(rule.get("apiGroups"), a.group)
        and _has(rule.get("apiVersions"), a.version)
        and _scope_matches(rule.get("scope", "*"), a)
        and any(_resource_matches(each, a.plural, a.subresource) for each in rule.get("resources") or ())
        and (not names or a.name in names)
    )


def names_resource(rule: Object, operation: str, group: str, plural: str, subresource: str) -> bool:
    """Whether a rule is about a resource in some of its versions, and about some of its objects."""
    return (
        _has(rule.get("operations"), operation)
        and _has(rule.get("apiGroups"), group)
        and any(_resource_matches(each, plural, subresource) for each in rule.get("resources") or ())
    )


def _has(patterns: Iterable[str] | None, value: str) -> bool:
    patterns = patterns or ()
    return "*" in patterns or value in patterns


def _scope_matches(scope: str, a: AdmissionAttributes) -> bool:
    namespaced = bool(a.namespace) and (a.group, a.plural) != ("", "namespaces")
    return scope == "*" or (scope == "Namespaced") == namespaced


def _resource_matches(pattern: str, plural: str, subresource: str) -> bool:
    resource, slash, sub = pattern.partition("/")
    if resource not in ("*", plural):
        return False
    return sub in ("*", subresource) if slash else not subresource


def selectors_match(hook: Object, attributes: AdmissionAttributes, lister: Lister) -> bool:
    """Whether labels of the namespace and of the object (new or old) are selected."""
    return _namespace_matches(hook.get("namespaceSelector"), attributes, lister) and _object_matches(
        hook.get("objectSelector"), attributes
    )


def _namespace_matches(wanted: Object | None, a: AdmissionAttributes, lister: Lister) -> bool:
    if not wanted:
        return True
    if (a.group, a.plural) == ("", "namespaces"):
        labels = _labels(a.object if a.object is not None else a.old)
    elif not a.namespace:
        return True
    else:
        labels = _labels(lister.get("", "namespaces", "", a.namespace))
    return selector.matcher(selector.from_object(wanted))(labels)


def _object_matches(wanted: Object | None, a: AdmissionAttributes) -> bool:
    if not wanted:
        return True
    matches = selector.matcher(selector.from_object(wanted))
    return any(matches(_labels(each)) for each in (a.object, a.old) if each is not None)


def _labels(obj: Object | None) -> Object:
    return ((obj or {}).get("metadata") or {}).get("labels") or {}


def conditions_hold(conditions: Iterable[Object], values: Object, environment: Environment) -> bool:
    """Whether all CEL conditions are true. Raises Failed when one can't be evaluated and none is false."""
    budget = Budget(CONDITIONS_BUDGET)
    failed: list[str] = []
    for each in conditions:
        try:
            if evaluate(environment.compile(each["expression"]), values, budget) is False:
                return False
        except (Failed, CelError) as wrong:
            failed.append(str(wrong))
    if failed:
        raise Failed(joined(failed))
    return True


def cel_values(attributes: AdmissionAttributes) -> Object:
    return {"object": attributes.object, "oldObject": attributes.old, "request": request_of(attributes, "")}


def request_of(attributes: AdmissionAttributes, uid: str) -> Object:
    """The AdmissionRequest, without the objects."""
    a, asked = attributes, attributes.asked or attributes
    request: Object = {
        "uid": uid,
        "kind": _kind(a),
        "resource": _resource(a),
        "requestKind": _kind(asked),
        "requestResource": _resource(asked),
        "operation": a.operation,
        "userInfo": a.user.info(),
        "dryRun": a.dry_run,
    }
    if a.subresource:
        request["subResource"] = request["requestSubResource"] = a.subresource
    options = _OPTIONS.get(a.operation)
    if options:
        request["options"] = {"kind": options, "apiVersion": "meta.k8s.io/v1", **a.options}
    if a.name:
        request["name"] = a.name
    if a.namespace:
        request["namespace"] = a.namespace
    return request


def _kind(a: AdmissionAttributes) -> Object:
    shape = a.object if a.object is not None else a.old or {}
    group, _, version = shape.get("apiVersion", f"{a.group}/{a.version}" if a.group else a.version).rpartition("/")
    return {"group": group, "version": version, "kind": shape.get("kind", a.kind)}


def _resource(a: AdmissionAttributes) -> Object:
    return {"group": a.group, "version": a.version, "resource": a.plural}
