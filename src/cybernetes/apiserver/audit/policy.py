"""Which requests are recorded, and how much of them: an audit.k8s.io/v1 Policy. Pure.

source  Kubernetes reference, audit.k8s.io/v1 Policy
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Literal

import msgspec

from cybernetes.apiserver.request import RequestInfo
from cybernetes.auth.user import User

LEVELS = ("None", "Metadata", "Request", "RequestResponse")
RECEIVED, STARTED, COMPLETE, PANIC = "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"
# Questions whose answer is remembered: most requests are like one of the last few thousand.
ANSWERS_MAX = 4096

Level = Literal["None", "Metadata", "Request", "RequestResponse"]
Stage = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]


class PolicyError(ValueError):
    """The policy can't be used; the text says which rule is wrong and how."""


class GroupResources(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """resources  `pods`, `pods/log`, `pods/*`, `*/scale`, `*`; () for all of the group"""

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()

    def covers(self, info: RequestInfo) -> bool:
        if self.group != info.group:
            return False
        if not self.resources:
            return True
        if self.resource_names and info.name not in self.resource_names:
            return False
        return any(_covers(each, info.resource, info.subresource) for each in self.resources)


def _covers(pattern: str, resource: str, subresource: str) -> bool:
    if pattern == "*" or pattern == (f"{resource}/{subresource}" if subresource else resource):
        return True
    if subresource and pattern == f"*/{subresource}":
        return True
    return pattern == f"{resource}/*"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    level: Level
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None

    def matches(self, user: User | None, info: RequestInfo) -> bool:
        if self.users and (user is None or user.name not in self.users):
            return False
        if self.user_groups and (user is None or not any(each in self.user_groups for each in user.groups)):
            return False
        if self.verbs and info.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return self._matches_resource(info)
        if self.non_resource_urls:
            return not info.is_resource and any(_url_covers(each, info.path) for each in self.non_resource_urls)
        return True

    def _matches_resource(self, info: RequestInfo) -> bool:
        if not info.is_resource or (self.namespaces and info.namespace not in self.namespaces):
            return False
        return not self.resources or any(each.covers(info) for each in self.resources)


def _url_covers(pattern: str, path: str) -> bool:
    return pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))


class Treatment(msgspec.Struct, frozen=True, gc=False):
    """What is written of a request. stages: those that are."""

    level: str
    stages: frozenset[str]
    managed_fields: bool = True

    @property
    def with_request(self) -> bool:
        return self.level in ("Request", "RequestResponse")

    @property
    def with_response(self) -> bool:
        return self.level == "RequestResponse"


NOTHING = Treatment("None", frozenset())


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    api_version: Literal["audit.k8s.io/v1"]
    kind: Literal["Policy"]
    rules: tuple[Rule, ...] = ()
    metadata: dict[str, object] = {}
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False


class Policy:
    """The first rule that matches decides; what none matches is not recorded."""

    def __init__(self, document: _Document) -> None:
        self._rules = [(rule, _treatment(rule, document)) for rule in document.rules]
        # (user, groups, verb, path, name) -> treatment: rules look at nothing else of a request.
        self._answers: OrderedDict[tuple[object, ...], Treatment] = OrderedDict()

    def decide(self, user: User | None, info: RequestInfo) -> Treatment:
        key = (user and (user.name, user.groups), info.verb, info.path, info.name)
        known = self._answers.get(key)
        if known is not None:
            return known
        found = next((treatment for rule, treatment in self._rules if rule.matches(user, info)), NOTHING)
        self._answers[key] = found
        if len(self._answers) > ANSWERS_MAX:
            self._answers.popitem(last=False)
        return found


def _treatment(rule: Rule, document: _Document) -> Treatment:
    if rule.level == "None":
        return NOTHING
    omitted = {*document.omit_stages, *rule.omit_stages}
    stages = frozenset(each for each in (RECEIVED, STARTED, COMPLETE, PANIC) if each not in omitted)
    omits = document.omit_managed_fields if rule.omit_managed_fields is None else rule.omit_managed_fields
    return Treatment(rule.level, stages, not omits) if stages else NOTHING


def parse(text: bytes) -> Policy:
    """The policy of a YAML or JSON document. Raises PolicyError."""
    try:
        document = msgspec.yaml.decode(text, type=_Document)
    except (msgspec.MsgspecError, ValueError) as wrong:
        raise PolicyError(str(wrong)) from wrong
    if not document.rules:
        raise PolicyError("a policy needs at least one rule")
    wrongs = [f"rules[{i}]: {wrong}" for i, rule in enumerate(document.rules) for wrong in _wrongs(rule)]
    if wrongs:
        raise PolicyError("; ".join(wrongs))
    return Policy(document)


def _wrongs(rule: Rule) -> Iterator[str]:
    if rule.non_resource_urls and (rule.resources or rule.namespaces):
        yield "a rule has resources and namespaces, or nonResourceURLs, not both"
    for url in rule.non_resource_urls:
        if url != "*" and not url.startswith("/"):
            yield f'nonResourceURLs: "{url}" begins with no slash'
        if "*" in url[:-1]:
            yield f'nonResourceURLs: "{url}" has a wildcard that is not at its end'
    for each in rule.resources:
        if "/" in each.group or each.group == "v1":
            yield f'resources: "{each.group}" is no group; versions are not named'
        if each.resource_names and not each.resources:
            yield "resources: resourceNames need resources"
