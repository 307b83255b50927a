"""Role based access control: rules of a user found through indexes that follow roles and bindings.

enters   roles and bindings, as a Lister tells of them
leaves   a Decision with the binding that allows; the rules of a user
cost     O(rules of the user); what a user is bound to is remembered until a binding changes

source  Kubernetes documentation "Using RBAC Authorization"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cybernetes.auth.authz import NO_OPINION, Attributes, Decision, Verdict, joined
from cybernetes.auth.lister import RBAC as GROUP
from cybernetes.auth.lister import Lister
from cybernetes.auth.rules import Rule, parse_all
from cybernetes.auth.user import User, split_service_account
from cybernetes.model.selector import Matcher, from_object, matcher

Object = dict[str, Any]
Subject = tuple[str, str]

# Users whose bindings are remembered, in each namespace that they ask about; each takes some hundred bytes.
USERS_MAX = 16_384


class Role(msgspec.Struct, frozen=True):
    """selectors  of a cluster role that is made of others, any of which may choose them"""

    rules: tuple[Rule, ...]
    labels: dict[str, str] = {}
    selectors: tuple[Matcher, ...] = ()


class Binding(msgspec.Struct, frozen=True):
    """namespace  "" for a ClusterRoleBinding; role: (kind, name)"""

    namespace: str
    name: str
    role: tuple[str, str]
    subjects: tuple[Subject, ...]


class Grant(msgspec.Struct, frozen=True, gc=False):
    binding: Binding
    subject: Subject

    @property
    def reason(self) -> str:
        kind, name = self.binding.role
        bound_by = f'ClusterRoleBinding "{self.binding.name}"'
        if self.binding.namespace:
            bound_by = f'RoleBinding "{self.binding.name}/{self.binding.namespace}"'
        subject_kind, subject = self.subject
        return f'RBAC: allowed by {bound_by} of {kind} "{name}" to {subject_kind} "{subject}"'


class Rbac:
    def __init__(self, lister: Lister) -> None:
        self._roles: dict[tuple[str, str, str], Role] = {}
        self._bindings: dict[tuple[str, str], Binding] = {}
        # namespace ("" for cluster role bindings) -> subject -> its bindings, by name
        self._by_subject: dict[str, dict[Subject, dict[str, Binding]]] = {}
        self._grants: dict[tuple[str, tuple[str, ...], str], tuple[Grant, ...]] = {}
        self._resolved: dict[tuple[str, str, str], tuple[Rule, ...] | None] = {}
        lister.subscribe(GROUP, "clusterroles", self._role_changed)
        lister.subscribe(GROUP, "roles", self._role_changed)
        lister.subscribe(GROUP, "clusterrolebindings", self._binding_changed)
        lister.subscribe(GROUP, "rolebindings", self._binding_changed)

    def decide(self, attributes: Attributes) -> Decision:
        errors: list[str] = []
        for grant in self._grants_of(attributes.user, attributes.namespace):
            rules = self._rules_of(grant.binding)
            if rules is None:
                errors.append(_no_such_role(grant.binding))
                continue
            for rule in rules:
                if rule.allows(attributes):
                    return Decision(Verdict.ALLOW, grant.reason)
        return Decision(Verdict.NO_OPINION, f"RBAC: {joined(errors)}") if errors else NO_OPINION

    def rules_for(self, user: User, namespace: str = "") -> tuple[list[Rule], list[str]]:
        """All rules that hold for a user in a namespace and cluster-wide, and what could not be resolved."""
        rules: list[Rule] = []
        errors: list[str] = []
        for grant in self._grants_of(user, namespace):
            found = self._rules_of(grant.binding)
            if found is None:
                errors.append(_no_such_role(grant.binding))
            else:
                rules += found
        return rules, errors

    def rules_of_role(self, kind: str, namespace: str, name: str) -> tuple[Rule, ...] | None:
        """The rules of a role, a cluster role's aggregated ones among them; None when there is no such role."""
        key = (kind, namespace if kind == "Role" else "", name)
        if key not in self._resolved:
            self._resolved[key] = self._resolve(key)
        return self._resolved[key]

    def _rules_of(self, binding: Binding) -> tuple[Rule, ...] | None:
        kind, name = binding.role
        return self.rules_of_role(kind, binding.namespace, name)

    def _resolve(self, key: tuple[str, str, str]) -> tuple[Rule, ...] | None:
        role = self._roles.get(key)
        if role is None or not role.selectors:
            return role.rules if role else None
        return tuple(dict.fromkeys((*role.rules, *self._aggregated(key, set()))))

    def _aggregated(self, key: tuple[str, str, str], seen: set[tuple[str, str, str]]) -> Iterator[Rule]:
        seen.add(key)
        for other_key in sorted(self._roles):
            if other_key[0] != "ClusterRole" or other_key in seen:
                continue
            other = self._roles[other_key]
            if any(matches(other.labels) for matches in self._roles[key].selectors):
                yield from other.rules
                if other.selectors:
                    yield from self._aggregated(other_key, seen)

    def _grants_of(self, user: User, namespace: str) -> tuple[Grant, ...]:
        key = (user.name, user.groups, namespace)
        grants = self._grants.get(key)
        if grants is None:
            if len(self._grants) >= USERS_MAX:
                self._grants.clear()
            subjects = list(_subjects_of(user))
            found = list(self._found("", subjects))
            grants = tuple(found + (list(self._found(namespace, subjects)) if namespace else []))
            self._grants[key] = grants
        return grants

    def _found(self, namespace: str, subjects: list[Subject]) -> Iterator[Grant]:
        by_subject = self._by_subject.get(namespace)
        if not by_subject:
            return
        bindings: dict[str, Binding] = {}
        for subject in subjects:
            bindings.update(by_subject.get(subject, {}))
        mine = set(subjects)
        for name in sorted(bindings):
            binding = bindings[name]
            yield Grant(binding, next(each for each in binding.subjects if each in mine))

    def _role_changed(self, old: Object | None, new: Object | None) -> None:
        role = new or old
        assert role is not None
        kind, metadata = role["kind"], role["metadata"]
        key = (kind, metadata.get("namespace", ""), metadata["name"])
        self._resolved.clear()
        if new is None:
            self._roles.pop(key, None)
        else:
            selectors = (new.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
            chosen = tuple(_chosen_by(each) for each in selectors)
            self._roles[key] = Role(parse_all(new), metadata.get("labels") or {}, chosen)

    def _binding_changed(self, old: Object | None, new: Object | None) -> None:
        self._grants.clear()
        if old is not None:
            self._forget(old["metadata"].get("namespace", ""), old["metadata"]["name"])
        if new is not None:
            self._remember(parse_binding(new))

    def _remember(self, binding: Binding) -> None:
        self._forget(binding.namespace, binding.name)
        self._bindings[binding.namespace, binding.name] = binding
        by_subject = self._by_subject.setdefault(binding.namespace, {})
        for subject in binding.subjects:
            by_subject.setdefault(subject, {})[binding.name] = binding

    def _forget(self, namespace: str, name: str) -> None:
        binding = self._bindings.pop((namespace, name), None)
        if binding is None:
            return
        by_subject = self._by_subject[namespace]
        for subject in set(binding.subjects):
            del by_subject[subject][name]
            if not by_subject[subject]:
                del by_subject[subject]
        if not by_subject:
            del self._by_subject[namespace]


def _chosen_by(selector: Object) -> Matcher:
    """Nothing is chosen by a selector that validation should not have let in: the index must survive what is stored."""
    try:
        return matcher(from_object(selector))
    except (ValueError, KeyError):
        return matcher(None)


def parse_binding(binding: Object) -> Binding:
    """What a binding says; of one that is incomplete, what it does say."""
    namespace = binding["metadata"].get("namespace", "")
    role = binding.get("roleRef") or {}
    subjects = (_subject(each, namespace) for each in binding.get("subjects") or ())
    return Binding(
        namespace,
        binding["metadata"]["name"],
        (role.get("kind", ""), role.get("name", "")),
        tuple(each for each in subjects if each is not None),
    )


def _subject(subject: Object, namespace: str) -> Subject | None:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind != "ServiceAccount":
        return kind, name
    namespace = subject.get("namespace") or namespace
    return (kind, f"{name}/{namespace}") if namespace else None


def _subjects_of(user: User) -> Iterator[Subject]:
    yield "User", user.name
    for group in user.groups:
        yield "Group", group
    account = split_service_account(user.name)
    if account:
        yield "ServiceAccount", f"{account[1]}/{account[0]}"


def _no_such_role(binding: Binding) -> str:
    kind, name = binding.role
    return f'{kind.lower()}.{GROUP} "{name}" not found'
