"""Which policies look at a write, with which bindings and parameters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import msgspec

from cybernetes.apiserver.admission import matching
from cybernetes.apiserver.admission.attributes import AdmissionAttributes
from cybernetes.apiserver.admission.policy.compiled import Compiled
from cybernetes.apiserver.admission.webhooks.equivalent import Equivalents
from cybernetes.auth.lister import Lister
from cybernetes.model import selector

Object = dict[str, Any]
# (group, plural, namespaced) of an apiVersion and kind; None when it is not served.
ResourceOf = Callable[[str, str], tuple[str, str, bool] | None]


class Unconfigured(Exception):
    """A binding's parameters can't be found; the text says why."""


class Invocation(msgspec.Struct, frozen=True):
    """One binding of a policy that concerns a write. looked: the write as the policy wants to see it."""

    policy: Compiled
    binding: Object
    looked: AdmissionAttributes

    @property
    def binding_name(self) -> str:
        return str(self.binding["metadata"]["name"])


class Invocations:
    """Policies and bindings of one kind, as the cluster has them."""

    def __init__(self, lister: Lister, kind: str, equivalents: Equivalents, resource_of: ResourceOf) -> None:
        """kind: validatingadmissionpolic or mutatingadmissionpolic, as both plurals begin."""
        self._lister = lister
        self._equivalents = equivalents
        self._resource_of = resource_of
        self._mutating = kind.startswith("mutating")
        self._policies: dict[str, Object] = {}
        self._compiled: dict[str, Compiled] = {}
        self._bindings: dict[str, dict[str, Object]] = {}
        # Policies that may concern a kind of write: operation, group, plural, subresource -> names in order.
        self._candidates: dict[tuple[str, str, str, str], list[str]] = {}
        lister.subscribe(matching.GROUP, f"{kind}ies", self._policy_changed)
        lister.subscribe(matching.GROUP, f"{kind}ybindings", self._binding_changed)

    def may_concern(self, attributes: AdmissionAttributes) -> bool:
        return bool(self._bindings and self._policies and self._names(attributes))

    def _names(self, attributes: AdmissionAttributes) -> list[str]:
        a = attributes
        key = (a.operation, a.group, a.plural, a.subresource)
        names = self._candidates.get(key)
        if names is None:
            same = {(each.group, each.plural) for each in (a, *self._equivalents.of(a))}
            names = self._candidates[key] = [
                name for name in sorted(self._policies) if name in self._bindings and self._names_any(name, a, same)
            ]
        return names

    def _names_any(self, name: str, attributes: AdmissionAttributes, same: set[tuple[str, str]]) -> bool:
        """Whether the policy's rules name the resource in any of its versions, whatever else they ask for."""
        rules = (self._policies[name]["spec"].get("matchConstraints") or {}).get("resourceRules") or ()
        a = attributes
        return any(
            matching.names_resource(rule, a.operation, group, plural, a.subresource)
            for rule in rules
            for group, plural in same
        )

    async def of(self, attributes: AdmissionAttributes) -> AsyncIterator[Invocation]:
        """In the order of the names of policies, then of bindings."""
        for name in self._names(attributes):
            bindings = self._bindings.get(name)
            policy = self._policies.get(name)
            if not bindings or policy is None:
                continue
            looked = self._matched(policy["spec"].get("matchConstraints"), attributes, needs_rules=True)
            if looked is None:
                continue
            for binding in [bindings[each] for each in sorted(bindings)]:
                own = binding["spec"].get("matchResources")
                if own and self._matched(own, attributes, needs_rules=False) is None:
                    continue
                if looked is not attributes and looked.object is attributes.object:
                    await self._equivalents.convert(attributes, looked)
                yield Invocation(self._compile(name, policy), binding, looked)

    def _compile(self, name: str, policy: Object) -> Compiled:
        known = self._compiled.get(name)
        if known is None or known.policy is not policy:
            known = self._compiled[name] = Compiled(policy, mutating=self._mutating)
        return known

    def _matched(
        self, wanted: Object | None, attributes: AdmissionAttributes, *, needs_rules: bool
    ) -> AdmissionAttributes | None:
        """The write in the version that the rules name; None where they name none of it."""
        if not wanted:
            return None
        rules = wanted.get("resourceRules") or ()
        versions = [attributes]
        if wanted.get("matchPolicy") != "Exact" and not matching.rules_match(rules, attributes):
            versions += self._equivalents.of(attributes)
        if rules or needs_rules:
            versions = [each for each in versions if matching.rules_match(rules, each)]
        excluded = wanted.get("excludeResourceRules") or ()
        if not versions or any(matching.rules_match(excluded, each) for each in self._excludable(wanted, attributes)):
            return None
        return versions[0] if matching.selectors_match(wanted, attributes, self._lister) else None

    def _excludable(self, wanted: Object, attributes: AdmissionAttributes) -> Iterable[AdmissionAttributes]:
        if not wanted.get("excludeResourceRules"):
            return ()
        exact = wanted.get("matchPolicy") == "Exact"
        return [attributes] if exact else [attributes, *self._equivalents.of(attributes)]

    def parameters(self, invocation: Invocation) -> list[Object | None]:
        """What the expressions are evaluated with, one after the other; None where there are none. Raises Unconfigured."""
        kind = invocation.policy.policy["spec"].get("paramKind")
        reference = invocation.binding["spec"].get("paramRef")
        if not kind or not reference:
            return [None]
        resource = self._resource_of(kind.get("apiVersion", ""), kind.get("kind", ""))
        if resource is None:
            shown = f"{kind.get('apiVersion')}, Kind={kind.get('kind')}"
            raise Unconfigured(f"failed to find resource referenced by paramKind: '{shown}'")
        found = self._found(resource, reference, invocation.looked)
        if not found and reference.get("parameterNotFoundAction", "Deny") == "Deny":
            raise Unconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found

    def _found(
        self, resource: tuple[str, str, bool], reference: Object, looked: AdmissionAttributes
    ) -> list[Object | None]:
        group, plural, namespaced = resource
        namespace = reference.get("namespace") or ""
        if not namespaced and namespace:
            raise Unconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        if namespaced and not namespace:
            namespace = looked.namespace
            if not namespace:
                why = "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                raise Unconfigured(why)
        if reference.get("name"):
            one = self._lister.get(group, plural, namespace, reference["name"])
            return [one] if one is not None else []
        matches = selector.matcher(selector.from_object(reference.get("selector") or {}))
        listed = self._lister.list(group, plural, namespace or None)
        return [each for each in listed if matches(each["metadata"].get("labels") or {})]

    def _policy_changed(self, old: Object | None, new: Object | None) -> None:
        name = (new or old or {})["metadata"]["name"]
        self._candidates.clear()
        self._compiled.pop(name, None)
        if new is None:
            self._policies.pop(name, None)
        else:
            self._policies[name] = new

    def _binding_changed(self, old: Object | None, new: Object | None) -> None:
        for each in (old, new):
            if each is not None:
                self._bindings.get(each["spec"].get("policyName", ""), {}).pop(each["metadata"]["name"], None)
        if new is not None:
            of_policy = self._bindings.setdefault(new["spec"].get("policyName", ""), {})
            of_policy[new["metadata"]["name"]] = new
        self._candidates.clear()
        self._bindings = {policy: bindings for policy, bindings in self._bindings.items() if bindings}
