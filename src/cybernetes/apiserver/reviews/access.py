"""SubjectAccessReview and its kin: what a user may do, asked of the server's authorizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cybernetes.apiserver import body, managed, respond
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.options import write_options
from cybernetes.auth.asking import settled
from cybernetes.auth.authz import Attributes, Verdict, joined
from cybernetes.auth.rbac import Rbac
from cybernetes.auth.user import User, node_name
from cybernetes.base.errors import ApiError, bad_request
from cybernetes.model import field
from cybernetes.model.field import FieldError, Path
from cybernetes.model.selector import Requirements, from_object, parse_fields, parse_labels
from cybernetes.wire.http.message import Response

_SPEC = Path("spec")
_RESOURCE = _SPEC.child("resourceAttributes")
_OTHER = _SPEC.child("nonResourceAttributes")


async def review(core: Core, call: Call) -> Response:
    asked = _read(call)
    spec = asked["spec"]
    _refuse([*check_what(spec), *_check_subject(spec), *_check_metadata(asked["metadata"])])
    return await _answer(core, call, asked, subject_of(spec))


async def review_local(core: Core, call: Call) -> Response:
    asked = _read(call)
    spec, namespace = asked["spec"], call.info.namespace
    if asked["metadata"].get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    asked["metadata"]["namespace"] = namespace
    unnamed = _check_metadata(asked["metadata"], "namespace")
    _refuse([*check_what(spec), *_check_subject(spec), *unnamed, *_check_local(spec, namespace)])
    return await _answer(core, call, asked, subject_of(spec))


async def review_own(core: Core, call: Call) -> Response:
    asked = _read(call)
    _refuse([*check_what(asked["spec"]), *_check_metadata(asked["metadata"])])
    return await _answer(core, call, asked, call.user)


async def review_rules(core: Core, call: Call, rbac: Rbac, unforeseen: Sequence[str] = ()) -> Response:
    """The rules that hold for the sender in a namespace; of a node not those that its pods give it.

    unforeseen  why the list can't be complete
    """
    namespace = _read(call)["spec"].get("namespace", "")
    if not namespace:
        raise bad_request("no namespace on request")
    status = rules_status(call.user, namespace, rbac, unforeseen)
    answer = {"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": {}}
    return respond.plain(call, {**answer, "status": status}, 201)


def rules_status(user: User, namespace: str, rbac: Rbac, unforeseen: Sequence[str] = ()) -> Object:
    rules, errors = rbac.rules_for(user, namespace)
    errors.extend(unforeseen)
    if node_name(user):
        errors.append("node authorizer does not support user rule resolution")
    status: Object = {
        "resourceRules": [each.as_object() for each in rules if each.resources],
        "nonResourceRules": [each.as_object() for each in rules if each.urls],
        "incomplete": bool(errors),
    }
    if errors:
        status["evaluationError"] = joined(errors)
    return status


def _read(call: Call) -> Object:
    options = write_options(call.request, "CreateOptions")
    asked = body.read(call, body.shape_of(call), options)
    if not isinstance(asked.get("spec"), dict):
        asked["spec"] = {}
    return asked


async def _answer(core: Core, call: Call, asked: Object, user: User) -> Response:
    question = attributes_of(asked["spec"], user)
    decision = await settled(lambda: core.authorizer.decide(question))
    status: Object = {"allowed": decision.allowed}
    if decision.verdict is Verdict.DENY:
        status["denied"] = True
    if decision.reason:
        status["reason"] = decision.reason
    managed.track_create(call, asked, write_options(call.request, "CreateOptions"), core.clock.now())
    return respond.plain(call, {**asked, "status": status}, 201)


def subject_of(spec: Object) -> User:
    return User(
        spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), dict(spec.get("extra") or {})
    )


def attributes_of(spec: Object, user: User) -> Attributes:
    """The question of a review. Its spec has one of both kinds of attributes."""
    other = spec.get("nonResourceAttributes")
    if other is not None:
        return Attributes(user, other.get("verb", ""), path=other.get("path", ""), is_resource=False)
    asked = spec["resourceAttributes"]
    fields, labels = asked.get("fieldSelector") or {}, asked.get("labelSelector") or {}
    equal, unequal = _fields(fields)
    return Attributes(
        user,
        asked.get("verb", ""),
        asked.get("group", ""),
        asked.get("version", "") or "*",
        asked.get("resource", ""),
        asked.get("subresource", ""),
        asked.get("namespace", ""),
        asked.get("name", ""),
        field_selector=equal,
        field_exclusions=unequal,
        label_selector=_labels(labels),
    )


Pairs = tuple[tuple[str, str], ...]
_LABEL_OPERATORS = frozenset(("In", "NotIn", "Exists", "DoesNotExist"))


def _fields(selector: Object) -> tuple[Pairs, Pairs]:
    """(what fields must be, what they must not be); requirements that fields can't have narrow nothing."""
    if selector.get("rawSelector"):
        try:
            terms = parse_fields(selector["rawSelector"])
        except ApiError:
            return (), ()
        found = [(each.equal, (each.field, each.value)) for each in terms]
    else:
        found = [
            (each["operator"] == "In", (each.get("key", ""), each["values"][0]))
            for each in selector.get("requirements") or ()
            if each.get("operator") in ("In", "NotIn") and len(each.get("values") or ()) == 1
        ]
    return tuple(pair for equal, pair in found if equal), tuple(pair for equal, pair in found if not equal)


def _labels(selector: Object) -> Requirements:
    if selector.get("rawSelector"):
        try:
            return parse_labels(selector["rawSelector"])
        except ApiError:
            return ()
    known = [each for each in selector.get("requirements") or () if each.get("operator") in _LABEL_OPERATORS]
    return from_object({"matchExpressions": known}) or ()


def check_what(spec: Object) -> list[FieldError]:
    asked, other = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if asked is not None and other is not None:
        return [field.invalid(_OTHER, other, "cannot be specified in combination with resourceAttributes")]
    if asked is None and other is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [field.invalid(_RESOURCE, None, detail)]
    return [*_check_selector(asked or {}, "fieldSelector"), *_check_selector(asked or {}, "labelSelector")]


def _check_selector(asked: Object, name: str) -> list[FieldError]:
    selector, path = asked.get(name), _RESOURCE.child(name)
    if selector is None:
        return []
    raw, requirements = selector.get("rawSelector"), selector.get("requirements")
    if raw and requirements:
        return [field.invalid(path.child("rawSelector"), raw, "may not specified at the same time as requirements")]
    if not raw and not requirements:
        detail = f"when {path} is specified, requirements or rawSelector is required"
        return [field.required(path.child("requirements"), detail)]
    return []


def _check_subject(spec: Object) -> list[FieldError]:
    if spec.get("user") or spec.get("groups"):
        return []
    return [field.invalid(_SPEC.child("user"), spec.get("user", ""), "at least one of user or group must be specified")]


def _check_metadata(metadata: Object, *kept: str) -> list[FieldError]:
    """A question has no name; kept: what it may have all the same."""
    if not any(value for name, value in metadata.items() if name not in ("managedFields", *kept)):
        return []
    return [field.invalid(Path("metadata"), metadata, " except for ".join(("must be empty", *kept)))]


def _check_local(spec: Object, namespace: str) -> list[FieldError]:
    asked: Any = spec.get("resourceAttributes")
    if asked is not None and asked.get("namespace", "") != namespace:
        return [
            field.invalid(_RESOURCE.child("namespace"), asked.get("namespace", ""), "must match metadata.namespace")
        ]
    if spec.get("nonResourceAttributes") is not None:
        return [field.invalid(_OTHER, spec["nonResourceAttributes"], "disallowed on this kind of request")]
    return []


def _refuse(errors: list[FieldError]) -> None:
    """Reviews are refused without the name of their kind."""
    if errors:
        error: ApiError = field.invalid_object("authorization.k8s.io", "", "", errors)
        assert error.details is not None
        error.details.pop("kind", None)
        raise error
