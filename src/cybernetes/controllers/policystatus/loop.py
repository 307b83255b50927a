"""Follows policies.

source  Kubernetes documentation "Validating Admission Policy", Type checking
"""

from __future__ import annotations

from typing import Any

from cybernetes.cel.types import Type
from cybernetes.client.target import Target
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.objects import Meta, View
from cybernetes.controllers.policystatus.schemas import Schemas
from cybernetes.model.expressions import type_checking
from cybernetes.model.expressions.type_checking import Kind

POLICIES = Target(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)
MANAGER = "validatingadmissionpolicy-status"


class PolicyStatus(View, frozen=True, gc=False):
    observed_generation: int = 0


class Policy(View, frozen=True, gc=False):
    metadata: Meta
    spec: dict[str, Any] = {}
    status: PolicyStatus = PolicyStatus()


class PolicyStatusController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._policies = edges.informers.make(POLICIES, decoder(Policy))
        self._queue = edges.queue()
        self._policies.on_change(lambda name, old, new: self._queue.add(name))

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("policystatus", self._queue, self.sync, workers=1)

    async def sync(self, name: str) -> float | None:
        policy = self._policies.items.get(name)
        if policy is None or policy.status.observed_generation >= policy.metadata.generation:
            return None
        found = await self._warnings(policy.spec)
        checked = {"expressionWarnings": found} if found else {}
        status = {"observedGeneration": policy.metadata.generation, "typeChecking": checked}
        body = {"metadata": {"name": name}, "status": status}
        await self._edges.client.apply(POLICIES, body, field_manager=MANAGER, subresource="status")
        return None

    async def _warnings(self, spec: dict[str, Any]) -> list[dict[str, str]]:
        schemas = Schemas(self._edges.client)
        types: dict[Kind, Type] = {}
        for group, version, plural in type_checking.resources(spec):
            kind = await schemas.kind_of(group, version, plural)
            found = await schemas.type_of(kind) if kind is not None else None
            if kind is not None and found is not None:
                types[kind] = found
            if len(types) == type_checking.TYPES_MAX:
                break
        return type_checking.warnings(spec, list(types.items()), await self._params(spec, schemas))

    async def _params(self, spec: dict[str, Any], schemas: Schemas) -> Type | None:
        named = spec.get("paramKind")
        if not named:
            return None
        group, _, version = named.get("apiVersion", "").rpartition("/")
        return await schemas.type_of(Kind(group, version, named.get("kind", "")))
