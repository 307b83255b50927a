"""Rules of admission policies and their bindings.

source  Kubernetes, pkg/apis/admissionregistration/validation
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cybernetes.cel.environment import Environment
from cybernetes.model.expressions import places
from cybernetes.model.expressions.composed import compose
from cybernetes.model.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from cybernetes.model.validation import names
from cybernetes.model.validation.admissionregistration import (
    MATCHES,
    OPERATIONS,
    POLICIES,
    compiles,
    conditions,
    gives,
    one_of,
    rule,
)
from cybernetes.model.validation.selectors import validate_label_selector

Object = dict[str, Any]
MUTATED_OPERATIONS = ("*", "CONNECT", "CREATE", "UPDATE")
REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
ACTIONS = ("Audit", "Deny", "Warn")
_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*\Z")
_LINE_BREAK = re.compile(r"[\n\r]")


def validate_policy(policy: Object, *, mutating: bool) -> list[FieldError]:
    """Of a ValidatingAdmissionPolicy or a MutatingAdmissionPolicy."""
    spec, path = policy["spec"], Path("spec")
    errors = one_of(spec.get("failurePolicy"), POLICIES, path.child("failurePolicy"))
    params = spec.get("paramKind") is not None
    if params:
        errors += _param_kind(spec["paramKind"], path.child("paramKind"))
    allowed = MUTATED_OPERATIONS if mutating else OPERATIONS
    errors += _constraints(spec.get("matchConstraints"), path.child("matchConstraints"), allowed)
    base = places.mutation(params=params) if mutating else places.admission(params=params)
    errors += conditions(spec.get("matchConditions") or [], path.child("matchConditions"), base)
    scope = _Scope(base, params=params, mutating=mutating)
    for i, each in enumerate(spec.get("variables") or ()):
        errors += _variable(each, path.child("variables").index(i), scope)
        scope.add(each)
    if mutating:
        return errors + _mutations(spec, path, scope)
    return errors + _validations(policy, spec, path, scope)


class _Scope:
    """Environments of a policy's expressions, while its own variables become known."""

    def __init__(self, base: Environment, *, params: bool, mutating: bool) -> None:
        self.environment = self._base = base
        self._silent = places.mutation(params=params) if mutating else places.admission(params=params, authorizer=False)
        self._own: list[Object] = []

    def add(self, variable: Object) -> None:
        if _IDENTIFIER.match(variable["name"]):
            self._own.append(variable)
        self.environment = compose(self._base, self._own).environment

    @property
    def of_messages(self) -> Environment:
        """Messages may not ask for rights."""
        return compose(self._silent, self._own).environment if self.environment is not self._base else self._silent


def _param_kind(kind: Object, path: Path) -> list[FieldError]:
    errors = []
    version = kind.get("apiVersion") or ""
    if not version:
        errors.append(required(path.child("apiVersion")))
    elif version.count("/") > 1:
        errors.append(invalid(path.child("apiVersion"), version, f"unexpected GroupVersion string: {version}"))
    else:
        group, slash, number = version.rpartition("/")
        if slash:
            errors += [invalid(path.child("apiVersion"), group, each) for each in names.dns_subdomain(group)]
        errors += [invalid(path.child("apiVersion"), number, each) for each in names.dns_1035_label(number)]
    name = kind.get("kind") or ""
    if not name:
        errors.append(required(path.child("kind")))
    else:
        problems = names.dns_1035_label(name.lower())
        if problems:
            detail = "may have mixed case, but should otherwise match: " + ",".join(problems)
            errors.append(invalid(path.child("kind"), name, detail))
    return errors


def _constraints(resources: Object | None, path: Path, operations: Sequence[str]) -> list[FieldError]:
    if resources is None:
        return [required(path)]
    errors = match_resources(resources, path, operations)
    if not resources.get("resourceRules"):
        errors.append(required(path.child("resourceRules")))
    return errors


def match_resources(resources: Object, path: Path, operations: Sequence[str] = OPERATIONS) -> list[FieldError]:
    errors = one_of(resources.get("matchPolicy"), MATCHES, path.child("matchPolicy"))
    for name in ("namespaceSelector", "objectSelector"):
        errors += validate_label_selector(resources.get(name), path.child(name))
    for name in ("resourceRules", "excludeResourceRules"):
        for i, each in enumerate(resources.get(name) or ()):
            where = path.child(name).index(i)
            errors += rule(each, where, operations)
            errors += _resource_names(each.get("resourceNames") or [], where.child("resourceNames"))
    return errors


def _resource_names(listed: list[str], path: Path) -> list[FieldError]:
    errors = []
    for i, each in enumerate(listed):
        errors += [invalid(path.index(i), each, problem) for problem in names.path_segment(each)]
        if each in listed[:i]:
            errors.append(duplicate(path.index(i), each))
    return errors


def _variable(variable: Object, path: Path, scope: _Scope) -> list[FieldError]:
    errors = []
    if not variable["name"].strip():
        errors.append(required(path.child("name"), "name is not specified"))
    elif not _IDENTIFIER.match(variable["name"]):
        errors.append(invalid(path.child("name"), variable["name"], "must be a valid CEL identifier"))
    if not variable["expression"].strip():
        errors.append(required(path.child("expression"), "expression is not specified"))
    else:
        errors += compiles(variable["expression"], path.child("expression"), scope.environment)
    return errors


def _validations(policy: Object, spec: Object, path: Path, scope: _Scope) -> list[FieldError]:
    validations, annotations = spec.get("validations") or [], spec.get("auditAnnotations") or []
    if not validations and not annotations:
        detail = "validations or auditAnnotations must contain at least one item"
        return [required(path.child("validations"), detail), required(path.child("auditAnnotations"), detail)]
    errors: list[FieldError] = []
    for i, each in enumerate(validations):
        errors += _validation(each, path.child("validations").index(i), scope)
    seen: set[str] = set()
    for i, each in enumerate(annotations):
        where = path.child("auditAnnotations").index(i)
        errors += _annotation(policy["metadata"].get("name", ""), each, where, scope)
        if each["key"] in seen:
            errors.append(duplicate(where.child("key"), each["key"]))
        seen.add(each["key"])
    return errors


def _validation(validation: Object, path: Path, scope: _Scope) -> list[FieldError]:
    errors = []
    text = validation["expression"]
    if not text.strip():
        errors.append(required(path.child("expression"), "expression is not specified"))
    else:
        errors += gives(text, path.child("expression"), scope.environment, "bool")
    message = validation.get("messageExpression")
    if message is not None and not message.strip():
        errors.append(invalid(path.child("messageExpression"), message, "must be non-empty if specified"))
    elif message:
        errors += gives(message, path.child("messageExpression"), scope.of_messages, "string")
    told = validation.get("message")
    if told and not told.strip():
        errors.append(invalid(path.child("message"), told, "message must be non-empty if specified"))
    elif told and _LINE_BREAK.search(told.strip()):
        errors.append(invalid(path.child("message"), told, "message must not contain line breaks"))
    return errors + one_of(validation.get("reason"), REASONS, path.child("reason"))


def _annotation(policy: str, annotation: Object, path: Path, scope: _Scope) -> list[FieldError]:
    key, text = annotation["key"], annotation["valueExpression"]
    errors = []
    if not policy:
        errors.append(invalid(path.child("key"), key, "requires metadata.name be non-empty"))
    else:
        whole = f"{policy}/{key}"
        errors += [invalid(path.child("key"), whole, problem) for problem in names.qualified_name(whole)]
    if not text.strip():
        errors.append(required(path.child("valueExpression"), "valueExpression is not specified"))
    else:
        errors += gives(text, path.child("valueExpression"), scope.environment, "string", "null_type")
    return errors


def _mutations(spec: Object, path: Path, scope: _Scope) -> list[FieldError]:
    errors: list[FieldError] = []
    if not spec.get("mutations"):
        errors.append(required(path.child("mutations"), "mutations must contain at least one item"))
    for i, each in enumerate(spec.get("mutations") or ()):
        errors += _mutation(each, path.child("mutations").index(i), scope)
    policy = spec.get("reinvocationPolicy")
    if not policy:
        errors.append(required(path.child("reinvocationPolicy")))
    else:
        errors += one_of(policy, ("IfNeeded", "Never"), path.child("reinvocationPolicy"))
    return errors


def _mutation(mutation: Object, path: Path, scope: _Scope) -> list[FieldError]:
    kind = mutation["patchType"]
    patch, configuration = mutation.get("jsonPatch"), mutation.get("applyConfiguration")
    wanted = {"JSONPatch": ("jsonPatch", patch), "ApplyConfiguration": ("applyConfiguration", configuration)}
    if not kind:
        return [required(path.child("patchType"))]
    if kind not in wanted:
        return [not_supported(path.child("patchType"), kind, sorted(wanted))]
    errors = []
    name, value = wanted[kind]
    other = "applyConfiguration" if name == "jsonPatch" else "jsonPatch"
    if value is None:
        errors.append(required(path.child(name), f"must be specified when patchType is {kind}"))
    if mutation.get(other) is not None:
        detail = f"must not be specified when patchType is {kind}"
        errors.append(invalid(path.child(other), mutation[other], detail))
    if value is not None:
        text = (value.get("expression") or "").strip()
        where = path.child(name, "expression")
        result = "list(JSONPatch)" if name == "jsonPatch" else "Object"
        errors += gives(value["expression"], where, scope.environment, result) if text else [required(where)]
    return errors


def validate_binding(binding: Object, *, mutating: bool) -> list[FieldError]:
    spec, path = binding["spec"], Path("spec")
    name = spec.get("policyName") or ""
    errors = [] if name else [required(path.child("policyName"))]
    errors += [invalid(path.child("policyName"), name, each) for each in (names.dns_subdomain(name) if name else [])]
    if spec.get("paramRef") is not None:
        errors += _param_ref(spec["paramRef"], path.child("paramRef"))
    if spec.get("matchResources") is not None:
        operations = MUTATED_OPERATIONS if mutating else OPERATIONS
        errors += match_resources(spec["matchResources"], path.child("matchResources"), operations)
    return errors if mutating else errors + _actions(spec.get("validationActions") or [], path)


def _param_ref(reference: Object, path: Path) -> list[FieldError]:
    name, selector = reference.get("name") or "", reference.get("selector")
    errors = []
    if name:
        errors += [invalid(path.child("name"), name, each) for each in names.path_segment(name)]
        if selector is not None:
            detail = "name and selector are mutually exclusive"
            errors += [forbidden(path.child("name"), detail), forbidden(path.child("selector"), detail)]
    elif selector is not None:
        errors += validate_label_selector(selector, path.child("selector"))
    else:
        errors.append(required(path, "one of name or selector must be specified"))
    action = reference.get("parameterNotFoundAction")
    if not action:
        errors.append(required(path.child("parameterNotFoundAction")))
    else:
        errors += one_of(action, ("Deny", "Allow"), path.child("parameterNotFoundAction"))
    return errors


def _actions(actions: list[str], path: Path) -> list[FieldError]:
    where = path.child("validationActions")
    errors = []
    for i, each in enumerate(actions):
        errors += one_of(each, ACTIONS, where.index(i))
        if each in actions[:i]:
            errors.append(duplicate(where.index(i), each))
    if "Deny" in actions and "Warn" in actions:
        detail = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)"
        )
        errors.append(invalid(where, actions, detail))
    if not actions:
        errors.append(required(where, "at least one validation action is required"))
    return errors
