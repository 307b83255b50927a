"""The cluster as it is, or was when it was saved: for questions that do not change it.

enters   JSON of whole objects, as lists have them, or a saved List of all of them
leaves   the scheduler's own cycles over it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import orjson

from cybernetes.client.informer import key_of
from cybernetes.client.target import NAMESPACES, NODES, POD_DISRUPTION_BUDGETS, PODS, PRIORITY_CLASSES, Target
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.devices.filters import DeviceFilter
from cybernetes.scheduler.devices.state import KINDS as DEVICE_KINDS
from cybernetes.scheduler.devices.state import Devices
from cybernetes.scheduler.intake import budget_of
from cybernetes.scheduler.nominations import Nominations
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
from cybernetes.scheduler.profile import Profile
from cybernetes.scheduler.storage.filters import VolumeFilter
from cybernetes.scheduler.storage.state import KINDS, Storage
from cybernetes.scheduler.victims import Budget


class Priority(msgspec.Struct, rename="camel"):
    value: int = 0
    preemption_policy: str = "PreemptLowerPriority"
    global_default: bool = False


class Snapshot:
    """What to list: TARGETS, in any order. Then `add`, and `place_running` once all is there."""

    TARGETS: tuple[Target, ...] = (
        NODES,
        PODS,
        NAMESPACES,
        POD_DISRUPTION_BUDGETS,
        PRIORITY_CLASSES,
        *(target for target, _ in OWNERS),
        *(target for target, _ in KINDS),
        *(target for target, _ in DEVICE_KINDS),
    )

    def __init__(self, profiles: Sequence[Profile] = (Profile(),)) -> None:
        self.columns, self.storage, self.devices = Columns(), Storage(), Devices()
        self.nominations = Nominations()
        self.pods: dict[str, PodEntry] = {}
        self.budgets: list[Budget] = []
        self.priorities: dict[str, Priority] = {}
        self._owners = Owners()
        self._interner = Interner()
        self._decode_pod = msgspec.json.Decoder(PodObject).decode
        volumes = VolumeFilter(self.storage)
        self.cycles = {
            each.name: Cycle(
                self.columns, each, self.nominations, self._owners.selector, volumes, DeviceFilter(self.devices)
            )
            for each in profiles
        }

    def add(self, target: Target, items: Iterable[bytes]) -> None:
        for item in items:
            self._add(target, item)

    def add_saved(self, saved: dict[str, Any]) -> None:
        """A List of objects of any kinds, as `kubectl get nodes,pods,... -A -o json` writes it; others are left out."""
        by_kind = {(each.api_version, each.kind): each for each in self.TARGETS}
        for item in saved.get("items") or ():
            target = by_kind.get((item.get("apiVersion", ""), item.get("kind", "")))
            if target is not None:
                self._add(target, orjson.dumps(item))

    def entry(self, manifest: dict[str, Any]) -> PodEntry:
        return self._interner.entry(self._decode_pod(orjson.dumps(manifest)))

    def cycle(self, pod: PodEntry) -> Cycle | None:
        """Of the pod's scheduler; None when that is none of ours."""
        return self.cycles.get(pod.shape.spec.scheduler_name)

    def place_running(self, leave_out: str = "") -> None:
        """Count the pods that have a node, and those that wait for their victims; `leave_out` is a key."""
        for key, pod in self.pods.items():
            if pod.finished or key == leave_out:
                continue
            if pod.node_name:
                self.columns.add_pod(pod, pod.node_name)
            elif pod.nominated:
                self.nominations.put(pod, pod.nominated)

    def _add(self, target: Target, item: bytes) -> None:
        if target is PODS:
            pod = self._interner.entry(self._decode_pod(item))
            self.pods[pod.key] = pod
        elif target is NODES:
            self.columns.put_node(msgspec.json.decode(item, type=NodeObject))
        elif target is NAMESPACES:
            space = msgspec.json.decode(item, type=NamespaceObject).metadata
            self.columns.tallies.put_namespace(space.name, space.labels or {})
        elif target is POD_DISRUPTION_BUDGETS:
            self.budgets.append(budget_of(msgspec.json.decode(item, type=BudgetObject)))
        elif target is PRIORITY_CLASSES:
            name = msgspec.json.decode(item, type=NamespaceObject).metadata.name
            self.priorities[name] = msgspec.json.decode(item, type=Priority)
        elif target in _MAPPED:
            struct: Any = MapSelectorObject if _MAPPED[target] else SelectorObject
            owner = msgspec.json.decode(item, type=struct)
            key = key_of(owner.metadata.namespace, owner.metadata.name)
            self._owners.changer(target.kind)(key, None, owner)
        else:
            meta = msgspec.json.decode(item, type=NamespaceObject).metadata
            key = key_of(meta.namespace, meta.name)
            table = self.devices if target in _DEVICES else self.storage
            table.change(target, key, msgspec.json.decode(item, type=_STORED[target]))


_MAPPED = dict(OWNERS)
_DEVICES = dict(DEVICE_KINDS)
_STORED = dict(KINDS) | _DEVICES
