"""Follows the API server: one informer a resource, each feeding the part of the picture that it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient
from cybernetes.client.informer import Informer
from cybernetes.client.target import (
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    Target,
)
from cybernetes.scheduler.devices import state as device_state
from cybernetes.scheduler.devices.state import Devices
from cybernetes.scheduler.hints import Kind
from cybernetes.scheduler.objects import (
    BudgetObject,
    MapSelectorObject,
    NamespaceObject,
    NodeObject,
    PodObject,
    SelectorObject,
)
from cybernetes.scheduler.owners import OWNERS, Owners
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.selectors import compile_selector
from cybernetes.scheduler.state import ClusterState
from cybernetes.scheduler.storage.state import KINDS, Storage
from cybernetes.scheduler.victims import Budget


class Intake:
    """changed: called after every change, when the picture contains it."""

    def __init__(
        self,
        client: ApiClient,
        clock: Clock,
        random: Random,
        *,
        state: ClusterState,
        owners: Owners,
        storage: Storage,
        devices: Devices,
        changed: Callable[[], None],
        whole_nodes: bool = False,
    ) -> None:
        self._client = client
        self._clock = clock
        self._random = random
        self._changed = changed
        interner, decode = Interner(), msgspec.json.Decoder(PodObject).decode
        self.pods: Informer[PodEntry] = self._informer(PODS, lambda body: interner.entry(decode(body)))
        self._budgets: Informer[BudgetObject] = self._informer(
            POD_DISRUPTION_BUDGETS, msgspec.json.Decoder(BudgetObject).decode
        )
        nodes = self._informer(NODES, msgspec.json.Decoder(NodeObject).decode)
        namespaces = self._informer(NAMESPACES, msgspec.json.Decoder(NamespaceObject).decode)
        self._follow(self.pods, state.on_pod)
        self._follow(nodes, state.on_node)
        self._follow(namespaces, state.on_namespace)
        self._all = [self.pods, nodes, namespaces, self._budgets]
        # JSON of whole nodes by name, for extenders that don't know them themselves.
        self.whole_nodes: dict[str, bytes] = {}
        if whole_nodes:
            whole = self._informer(NODES, bytes)
            self.whole_nodes = whole.items
            self._all.append(whole)
        self._follow_owners(owners)
        self._follow_storage(storage, state)
        self._follow_devices(devices, state)

    @property
    def synced(self) -> bool:
        """Whether the whole cluster is known."""
        return all(each.synced for each in self._all)

    async def wait_synced(self) -> None:
        for each in self._all:
            await each.wait_synced()

    def start(self, group: asyncio.TaskGroup) -> None:
        for each in self._all:
            group.create_task(each.run(), name=f"scheduler.{each.target.plural}")

    def budgets(self) -> list[Budget]:
        return [budget_of(each) for each in self._budgets.items.values()]

    def _informer(self, target: Target, decode: Callable[[bytes], Any]) -> Informer[Any]:
        return Informer(self._client, target, decode, clock=self._clock, random=self._random)

    def _follow(self, informer: Informer[Any], into: Callable[[str, Any, Any], None]) -> None:
        def change(key: str, old: Any, new: Any) -> None:
            into(key, old, new)
            self._changed()

        informer.on_change(change)

    def _follow_owners(self, owners: Owners) -> None:
        for target, by_map in OWNERS:
            struct: Any = MapSelectorObject if by_map else SelectorObject
            informer = self._informer(target, msgspec.json.Decoder(struct).decode)
            informer.on_change(owners.changer(target.kind))
            self._all.append(informer)

    def _follow_storage(self, storage: Storage, state: ClusterState) -> None:
        for target, struct in KINDS:
            informer = self._informer(target, msgspec.json.Decoder(struct).decode)
            self._follow(informer, _storage_changer(target, storage, state))
            self._all.append(informer)

    def _follow_devices(self, devices: Devices, state: ClusterState) -> None:
        for target, struct in device_state.KINDS:
            informer = self._informer(target, msgspec.json.Decoder(struct).decode)
            self._follow(informer, _device_changer(target, devices, state))
            self._all.append(informer)


def _device_changer(target: Target, devices: Devices, state: ClusterState) -> Callable[[str, Any, Any], None]:
    def change(key: str, old: Any, new: Any) -> None:
        devices.change(target, key, new)
        state.on_other(Kind.DEVICES, key)

    return change


def _storage_changer(target: Target, storage: Storage, state: ClusterState) -> Callable[[str, Any, Any], None]:
    kind = Kind.CLAIM if target is PERSISTENT_VOLUME_CLAIMS else Kind.STORAGE

    def change(key: str, old: Any, new: Any) -> None:
        storage.change(target, key, new)
        state.on_other(kind, key)

    return change


def budget_of(found: BudgetObject) -> Budget:
    return Budget(
        found.metadata.namespace,
        compile_selector(found.spec.selector),
        found.status.disruptions_allowed,
        frozenset(found.status.disrupted_pods or ()),
    )
