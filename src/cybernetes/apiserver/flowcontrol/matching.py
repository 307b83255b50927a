"""Which flow schema a request belongs to: the first, by precedence and name, whose rules fit."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from cybernetes.apiserver.request import RequestInfo
from cybernetes.auth.user import User, split_service_account

Object = dict[str, Any]

# Kinds of requests that are remembered; what came up once comes up again.
REMEMBERED_MAX = 8192


class FlowSchema(msgspec.Struct, frozen=True):
    """by: "User", "Namespace", or "" where all requests of the schema are one flow."""

    name: str
    uid: str
    level: str
    by: str
    precedence: int
    rules: tuple[Object, ...]


def read(schema: Object) -> FlowSchema:
    spec = schema.get("spec") or {}
    method = (spec.get("distinguisherMethod") or {}).get("type", "")
    return FlowSchema(
        schema["metadata"]["name"],
        schema["metadata"].get("uid", ""),
        spec["priorityLevelConfiguration"]["name"],
        method.removeprefix("By"),
        spec.get("matchingPrecedence", 1000),
        tuple(spec.get("rules") or ()),
    )


class Classifier:
    """schemas: those whose level is there; the last one should take everything."""

    def __init__(self, schemas: Iterable[FlowSchema]) -> None:
        self._schemas = tuple(sorted(schemas, key=lambda each: (each.precedence, each.name)))
        self._found: dict[tuple[Any, ...], FlowSchema | None] = {}

    def classify(self, user: User, info: RequestInfo) -> FlowSchema | None:
        if info.is_resource:
            what: tuple[Any, ...] = (info.verb, info.group, info.resource, info.subresource, info.namespace)
        else:
            what = (info.verb, info.path)
        key = (user.name, user.groups, what)
        try:
            return self._found[key]
        except KeyError:
            pass
        found = next((each for each in self._schemas if _fits(each, user, info)), None)
        if len(self._found) >= REMEMBERED_MAX:
            self._found.clear()
        self._found[key] = found
        return found


def _fits(schema: FlowSchema, user: User, info: RequestInfo) -> bool:
    return any(
        any(_is_subject(each, user) for each in rule.get("subjects") or ()) and _is_wanted(rule, info)
        for rule in schema.rules
    )


def _is_subject(subject: Object, user: User) -> bool:
    match subject.get("kind"):
        case "User":
            return subject["user"]["name"] in ("*", user.name)
        case "Group":
            return subject["group"]["name"] == "*" or subject["group"]["name"] in user.groups
        case "ServiceAccount":
            account, wanted = split_service_account(user.name), subject["serviceAccount"]
            return account is not None and account[0] == wanted["namespace"] and wanted["name"] in ("*", account[1])
        case _:
            return False


def _is_wanted(rule: Object, info: RequestInfo) -> bool:
    if info.is_resource:
        return any(_takes_resource(each, info) for each in rule.get("resourceRules") or ())
    return any(_takes_path(each, info) for each in rule.get("nonResourceRules") or ())


def _takes_resource(rule: Object, info: RequestInfo) -> bool:
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    if not (
        _has(rule["verbs"], info.verb) and _has(rule["apiGroups"], info.group) and _has(rule["resources"], resource)
    ):
        return False
    if not info.namespace:
        return bool(rule.get("clusterScope"))
    return _has(rule.get("namespaces") or (), info.namespace)


def _takes_path(rule: Object, info: RequestInfo) -> bool:
    return _has(rule["verbs"], info.verb) and any(_is_below(each, info.path) for each in rule["nonResourceURLs"])


def _is_below(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _has(wanted: Collection[str], value: str) -> bool:
    return "*" in wanted or value in wanted


def distinguisher(schema: FlowSchema, user: User, info: RequestInfo) -> str:
    """What keeps this request's flow apart from others of its schema."""
    if schema.by == "User":
        return user.name
    return info.namespace if schema.by == "Namespace" else ""
