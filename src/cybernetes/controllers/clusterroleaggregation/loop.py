"""Follows ClusterRoles.

source  Kubernetes documentation "Aggregated ClusterRoles"
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cybernetes.client.target import CLUSTER_ROLES
from cybernetes.controllers.informers import decoder
from cybernetes.controllers.loop import Edges, work
from cybernetes.controllers.objects import Meta, Selector, View

MANAGER = "clusterrole-aggregation-controller"


class AggregationRule(View, frozen=True, gc=False):
    cluster_role_selectors: tuple[Selector, ...] = ()


class ClusterRole(View, frozen=True, gc=False):
    metadata: Meta
    aggregation_rule: AggregationRule | None = None
    rules: msgspec.Raw = msgspec.Raw(b"[]")


class ClusterRoleAggregationController:
    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._roles = edges.informers.make(CLUSTER_ROLES, decoder(ClusterRole))
        self._aggregated = self._roles.index(lambda each: ("aggregated",) if each.aggregation_rule else ())
        self._queue = edges.queue()
        self._roles.on_change(self._on_role)

    async def run(self) -> None:
        await self._edges.informers.wait_synced()
        await work("clusterroleaggregation", self._queue, self.sync)

    def _on_role(self, name: str, old: ClusterRole | None, new: ClusterRole | None) -> None:
        for each in self._aggregated.get("aggregated"):
            if each.metadata.name == name or any(role and selects(each, role) for role in (old, new)):
                self._queue.add(each.metadata.name)

    async def sync(self, name: str) -> float | None:
        role = self._roles.items.get(name)
        if role is None or role.aggregation_rule is None or role.metadata.deletion_timestamp:
            return None
        wanted = union(each for each in self._roles.items.values() if each is not role and selects(role, each))
        if wanted == (msgspec.json.decode(role.rules) or []):
            return None
        body = {"metadata": {"name": name}, "rules": wanted}
        await self._edges.client.apply(CLUSTER_ROLES, body, field_manager=MANAGER)
        return None


def selects(role: ClusterRole, other: ClusterRole) -> bool:
    selectors = role.aggregation_rule.cluster_role_selectors if role.aggregation_rule else ()
    return any(each.matches(other.metadata.labels) for each in selectors)


def union(roles: Iterable[ClusterRole]) -> list[Any]:
    """Rules of all roles in order of their names, each once."""
    rules: list[Any] = []
    for role in sorted(roles, key=lambda each: each.metadata.name):
        for rule in msgspec.json.decode(role.rules) or []:
            if rule not in rules:
                rules.append(rule)
    return rules
