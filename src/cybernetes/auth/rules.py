"""Rules of roles, made ready for matching; pure.

source  Kubernetes documentation "Using RBAC Authorization"
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from cybernetes.auth.authz import Attributes
from cybernetes.model.field import quoted

ALL = "*"


class Rule(msgspec.Struct, frozen=True, gc=False):
    """One PolicyRule. Tuples in the order written; sets would be larger and no faster at these lengths."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def allows(self, attributes: Attributes) -> bool:
        if attributes.verb not in self.verbs and ALL not in self.verbs:
            return False
        if not attributes.is_resource:
            return any(_url_covers(url, attributes.path) for url in self.urls)
        return (
            (attributes.group in self.groups or ALL in self.groups)
            and self._has_resource(attributes.resource, attributes.subresource)
            and (not self.names or attributes.name in self.names)
        )

    def _has_resource(self, resource: str, subresource: str) -> bool:
        if ALL in self.resources:
            return True
        if not subresource:
            return resource in self.resources
        return f"{resource}/{subresource}" in self.resources or f"*/{subresource}" in self.resources

    def as_object(self) -> dict[str, Any]:
        """The ResourceRule or NonResourceRule of a SelfSubjectRulesReview."""
        parts = {
            "verbs": self.verbs,
            "apiGroups": self.groups,
            "resources": self.resources,
            "resourceNames": self.names,
            "nonResourceURLs": self.urls,
        }
        return {key: list(value) for key, value in parts.items() if value}


def parse(rule: dict[str, Any]) -> Rule:
    """The Rule of a PolicyRule object."""
    return Rule(
        verbs=tuple(rule.get("verbs") or ()),
        groups=tuple(rule.get("apiGroups") or ()),
        resources=tuple(rule.get("resources") or ()),
        names=tuple(rule.get("resourceNames") or ()),
        urls=tuple(rule.get("nonResourceURLs") or ()),
    )


def parse_all(role: dict[str, Any]) -> tuple[Rule, ...]:
    return tuple(parse(each) for each in role.get("rules") or ())


def _url_covers(pattern: str, path: str) -> bool:
    if pattern in (ALL, path):
        return True
    return pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL))


def missing(owned: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The single permissions of `wanted` that `owned` does not give, each a rule of one verb."""
    return [single for rule in wanted for single in _singles(rule) if not any(_covers(each, single) for each in owned)]


def _singles(rule: Rule) -> Iterable[Rule]:
    for group in rule.groups:
        for resource in rule.resources:
            for verb in rule.verbs:
                for name in rule.names or (None,):
                    yield Rule((verb,), (group,), (resource,), (name,) if name is not None else ())
    for url in rule.urls:
        for verb in rule.verbs:
            yield Rule(verbs=(verb,), urls=(url,))


def _covers(owned: Rule, single: Rule) -> bool:
    return (
        _has_all(owned.verbs, single.verbs)
        and _has_all(owned.groups, single.groups)
        and all(_resource_covers(owned.resources, each) for each in single.resources)
        and all(any(_url_covers(url, each) for url in owned.urls) for each in single.urls)
        and (not owned.names or (bool(single.names) and all(each in owned.names for each in single.names)))
    )


def _has_all(owned: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return ALL in owned or all(each in owned for each in wanted)


def _resource_covers(owned: tuple[str, ...], resource: str) -> bool:
    if ALL in owned or resource in owned:
        return True
    _, slash, subresource = resource.partition("/")
    return bool(slash) and f"*/{subresource}" in owned


def describe(singles: Iterable[Rule]) -> list[str]:
    """Permissions as refusals name them: verbs of the same thing together, sorted texts."""
    verbs: dict[tuple[Any, ...], list[str]] = {}
    for each in singles:
        verbs.setdefault((each.groups, each.resources, each.urls, each.names), []).extend(each.verbs)
    return sorted({_compact(Rule(tuple(v), g, r, n, u)) for (g, r, u, n), v in verbs.items()})


def _compact(rule: Rule) -> str:
    parts = (
        ("APIGroups", rule.groups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.urls),
        ("ResourceNames", rule.names),
        ("Verbs", rule.verbs),
    )
    return "{" + ", ".join(f"{name}:{quoted_list(values)}" for name, values in parts if values) + "}"


def quoted_list(values: Iterable[str]) -> str:
    """Go's %q of a list: `["a" "b"]`."""
    return "[" + " ".join(quoted(each) for each in values) + "]"
