"""MutatingAdmissionPolicy: changes of what is written, before webhooks see it.

A policy that asks for it looks once more when something changed the object after it.

source  Kubernetes documentation "Mutating Admission Policy"
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import orjson

from cybernetes.apiserver.admission import matching
from cybernetes.apiserver.admission.attributes import AdmissionAttributes, Place
from cybernetes.apiserver.admission.chain import Mutating, Step
from cybernetes.apiserver.admission.policy import patches
from cybernetes.apiserver.admission.policy.sources import Invocation, Invocations, Unconfigured
from cybernetes.apiserver.admission.scope import Budget, Failed, OutOfBudget, Rights, decided, namespace_of
from cybernetes.apiserver.admission.webhooks.equivalent import Equivalents
from cybernetes.auth.lister import Lister
from cybernetes.base.errors import ApiError
from cybernetes.model.schema.node import StructNode

Object = dict[str, Any]
# Types checked and defaults filled in, after a policy changed an object; raises ApiError.
Normalize = Callable[[AdmissionAttributes, Object], Object]
# A policy with a binding and the parameters: what is looked at once more or not.
_Key = tuple[str, str, str]


class NodeOf(Protocol):
    def __call__(self, attributes: AdmissionAttributes, obj: Object) -> StructNode | None:
        """The type of an object; None when it has none."""
        ...


class _Round:
    """What was looked at in the first round.

    eligible  policies that want to look once more, and did not since the object changed
    again     of these, those for which it changed
    seen      the object as the policies left it
    """

    def __init__(self) -> None:
        self.eligible: list[_Key] = []
        self.again: set[_Key] = set()
        self.seen = b""

    def changed(self) -> None:
        self.again.update(self.eligible)
        self.eligible.clear()


class MutatingPolicies(Mutating):
    name = "MutatingAdmissionPolicy"

    def __init__(
        self,
        lister: Lister,
        invocations: Invocations,
        rights: Rights,
        equivalents: Equivalents,
        completing: tuple[Normalize, NodeOf],
    ) -> None:
        self._lister = lister
        self._invocations = invocations
        self._rights = rights
        self._equivalents = equivalents
        self._normalize, self._node_of = completing

    def mutator(self, place: Place) -> Step | None:
        if place.operation == "DELETE" or matching.is_exempt(place.group, place.plural):
            return None
        return self._mutate

    def _mutate(self, attributes: AdmissionAttributes) -> Awaitable[None] | None:
        return self._ask_all(attributes) if self._invocations.may_concern(attributes) else None

    async def _ask_all(self, attributes: AdmissionAttributes) -> None:
        round_: _Round = attributes.mutated if attributes.again and attributes.mutated else _Round()
        if attributes.again and round_.eligible and orjson.dumps(attributes.object) != round_.seen:
            round_.changed()
        attributes.mutated = round_
        failed: list[str] = []
        async for invocation in self._invocations.of(attributes):
            try:
                parameters = self._invocations.parameters(invocation)
            except Unconfigured as wrong:
                failed += _held(invocation, f"failed to configure binding: {wrong}")
                continue
            for params in parameters:
                failed += await self._ask(invocation, params, attributes, round_)
        if failed:
            raise _refusal(attributes, failed)
        round_.seen = orjson.dumps(attributes.object) if round_.eligible else b""

    async def _ask(
        self, invocation: Invocation, params: Object | None, attributes: AdmissionAttributes, round_: _Round
    ) -> list[str]:
        """What a policy that must hold could not do."""
        policy = invocation.policy
        key = (policy.name, invocation.binding_name, _named(params))
        if attributes.again and key not in round_.again:
            return []
        looked = await self._current(invocation.looked, attributes)
        values = {**matching.cel_values(looked), "params": params, **self._rights.variables(looked)}
        values["namespaceObject"] = namespace_of(looked, self._lister)
        try:
            if not await decided(partial(policy.holds, values)):
                return []
        except Failed as wrong:
            return _held(invocation, str(wrong))
        failed, changed = await self._mutations(invocation, looked, values, attributes)
        if changed:
            round_.changed()
            attributes.reinvoke = True
        if policy.policy["spec"].get("reinvocationPolicy") == "IfNeeded":
            round_.eligible.append(key)
        return failed

    async def _current(self, looked: AdmissionAttributes, attributes: AdmissionAttributes) -> AdmissionAttributes:
        """As the policy wants to see it, with what policies before made of it."""
        if looked is not attributes:
            await self._equivalents.convert(attributes, looked)
        return looked

    async def _mutations(
        self, invocation: Invocation, looked: AdmissionAttributes, values: Object, attributes: AdmissionAttributes
    ) -> tuple[list[str], bool]:
        """(what could not be done, whether the object was changed)."""
        failed: list[str] = []
        any_changed = False
        for mutation in invocation.policy.policy["spec"].get("mutations") or ():
            if looked.object is None or attributes.object is None:
                continue
            try:
                scope = {**values, "object": looked.object}
                changed = await decided(partial(self._changed, invocation, mutation, looked, scope))
            except (Failed, OutOfBudget) as wrong:
                failed += _held(invocation, str(wrong))
                continue
            if changed is looked.object:
                continue
            any_changed = True
            if looked is attributes:
                _replace(attributes, changed)
            else:
                looked.object = changed
                _replace(attributes, await self._equivalents.back(changed, looked, attributes))
        return failed, any_changed

    def _changed(self, invocation: Invocation, mutation: Object, looked: AdmissionAttributes, values: Object) -> Object:
        """The object after one mutation, itself when that changes nothing. Raises Failed, OutOfBudget."""
        policy, obj = invocation.policy, looked.new
        budget = Budget()
        scope = policy.scope(values, budget)
        if mutation.get("patchType") == "JSONPatch":
            made = policy.evaluate(mutation["jsonPatch"]["expression"], scope, budget)
            result = patches.patched(obj, made)
        else:
            node = self._node_of(looked, obj)
            if node is None:
                raise Failed(f"Resource kind {obj.get('apiVersion')}, Kind={obj.get('kind')} not found.")
            made = policy.evaluate(mutation["applyConfiguration"]["expression"], scope, budget)
            result = patches.applied(node, obj, made)
        if result == obj:
            return obj
        try:
            normal = self._normalize(looked, result)
        except ApiError as wrong:
            raise Failed(wrong.message) from wrong
        return obj if normal == obj else normal


def _named(params: Object | None) -> str:
    metadata = params["metadata"] if params is not None else {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"


def _replace(attributes: AdmissionAttributes, changed: Object) -> None:
    """In place: others hold the object."""
    assert attributes.object is not None
    attributes.object.clear()
    attributes.object.update(changed)


def _held(invocation: Invocation, why: str) -> list[str]:
    policy = invocation.policy
    if not policy.must_hold:
        return []
    return [f"policy '{policy.name}' with binding '{invocation.binding_name}' denied request: {why}"]


def _refusal(attributes: AdmissionAttributes, failed: list[str]) -> ApiError:
    error = attributes.forbidden("admission request denied by policy")
    details = {**(error.details or {}), "causes": [{"message": each} for each in failed]}
    return ApiError(403, "Invalid", failed[0], details)
