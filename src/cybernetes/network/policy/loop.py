"""Follows NetworkPolicies and whom they are about, and keeps the kernel's table up with them."""

from __future__ import annotations

import asyncio
from typing import Literal, Protocol

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.client.api import ApiClient
from cybernetes.client.informer import Informer
from cybernetes.client.reflector import Selection
from cybernetes.client.target import NAMESPACES, NETWORK_POLICIES, NODES, PODS
from cybernetes.network.objects import Node, decode
from cybernetes.network.policy.objects import Namespace, Pod, Policy, decode_namespace, decode_pod, decode_policy
from cybernetes.network.policy.script import change_script, install_script, look_script, remove_script
from cybernetes.network.policy.state import State

_log = Log("policy")
# Pods come in bursts; one transaction for all that changed within this.
SETTLE_S = 0.02
RETRY_FIRST_S = 0.2
RETRY_LIMIT_S = 30.0
CHECK_S = 60.0


class Filter(Protocol):
    async def run(self, script: str) -> None:
        """A script for nft(8), all of it or nothing. Raises EdgeError."""
        ...


class Policies:
    """Pods and namespaces are followed from the first policy on: a cluster without any pays nothing for them."""

    def __init__(self, client: ApiClient, kernel: Filter, clock: Clock, random: Random, node: str) -> None:
        self._kernel = kernel
        self._clock = clock
        self._random = random
        self._state = State(node)
        self._known: Literal["unknown", "absent", "told"] = "unknown"
        self._wake = asyncio.Event()
        self._policies = Informer(client, NETWORK_POLICIES, decode_policy, clock=clock, random=random)
        self._pods = Informer(client, PODS, decode_pod, clock=clock, random=random)
        self._namespaces = Informer(client, NAMESPACES, decode_namespace, clock=clock, random=random)
        self._own_node = Informer(
            client, NODES, decode, clock=clock, random=random, selection=Selection(fields=f"metadata.name={node}")
        )
        self._policies.on_change(self._policy_changed)
        self._pods.on_change(self._pod_changed)
        self._namespaces.on_change(self._namespace_changed)
        self._own_node.on_change(self._node_changed)

    async def run(self) -> None:
        """Until cancelled; the table stays."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._policies.run(), name="policy.networkpolicies")
            await self._policies.wait_synced()
            while not self._state.has_policies:
                await self._until_told()
                await self._changed()
            group.create_task(self._pods.run(), name="policy.pods")
            group.create_task(self._namespaces.run(), name="policy.namespaces")
            group.create_task(self._own_node.run(), name="policy.node")
            group.create_task(self._check(), name="policy.check")
            await self._pods.wait_synced()
            await self._namespaces.wait_synced()
            await self._own_node.wait_synced()
            while True:
                await self._until_told()
                await self._changed()

    def _policy_changed(self, key: str, old: Policy | None, new: Policy | None) -> None:
        self._state.reduce_policy(key, old, new)
        self._wake.set()

    def _pod_changed(self, key: str, old: Pod | None, new: Pod | None) -> None:
        self._state.reduce_pod(key, old, new)
        self._wake.set()

    def _namespace_changed(self, key: str, old: Namespace | None, new: Namespace | None) -> None:
        self._state.reduce_namespace(key, old, new)
        self._wake.set()

    def _node_changed(self, key: str, old: Node | None, new: Node | None) -> None:
        self._state.reduce_node(key, old, new)
        self._wake.set()

    async def _changed(self) -> None:
        await self._wake.wait()
        await self._clock.sleep(SETTLE_S)
        self._wake.clear()

    async def _until_told(self) -> None:
        failures = 0
        while True:
            try:
                return await self._tell()
            except EdgeError as error:
                wait_s = backoff(failures, first_s=RETRY_FIRST_S, limit_s=RETRY_LIMIT_S, random=self._random)
                failures += 1
                _log.warning("policy.refused", error=error, retry_s=round(wait_s, 3))
                await self._clock.sleep(wait_s)

    async def _tell(self) -> None:
        """The table is replaced whole where it is not known what the kernel has."""
        known, self._known = self._known, "unknown"
        if not self._state.has_policies:
            if known != "absent":
                await self._kernel.run(remove_script())
            self._known = "absent"
            return
        if known == "told":
            delta = self._state.ledger.changes()
            if delta:
                await self._kernel.run(change_script(delta))
        else:
            await self._kernel.run(install_script(self._state.ledger.everything()))
            _log.info("policy.installed", policies=len(self._policies.items))
        self._known = "told"

    async def _check(self) -> None:
        """A table that somebody took away, with all of a machine's rules for one, comes back."""
        while True:
            await self._clock.sleep(CHECK_S)
            if self._known != "told":
                continue
            try:
                await self._kernel.run(look_script())
            except EdgeError as gone:
                _log.warning("policy.gone", error=gone)
                self._known = "unknown"
                self._wake.set()
