"""Why a pod is where it is, or nowhere: every node against every plugin, for `cybernetes explain pod`.

enters   a Cycle and a pod; or a Snapshot made of lists, for callers that are no scheduler
leaves   one view a node: the reasons against it, what it lacks, or its scores by plugin
holds    nothing is decided and nothing is changed; the code is the scheduler's own
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from cybernetes.client.informer import key_of
from cybernetes.client.target import NAMESPACES, NODES, PODS, Target
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle, Filtered
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import MapSelectorObject, NamespaceObject, NodeObject, PodObject, SelectorObject
from cybernetes.scheduler.owners import OWNERS, Owners
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.preempt import reasons_of
from cybernetes.scheduler.profile import Profile
from cybernetes.scheduler.reasons import FIT, FIT_NEVER
from cybernetes.scheduler.room import shortage
from cybernetes.scheduler.storage.filters import VolumeFilter
from cybernetes.scheduler.storage.state import KINDS, Storage


class NodeView(msgspec.Struct, frozen=True):
    """One node for one pod.

    reasons   why it is not possible; empty when it is
    lacks     resource -> how much is missing (milli for cpu), where only room is missing
    scores    plugin -> weighted score of a possible node; plugins that give all nodes the same are left out
    """

    node: str
    reasons: tuple[str, ...] = ()
    lacks: tuple[tuple[str, int], ...] = ()
    scores: dict[str, int] = {}

    @property
    def total(self) -> int:
        return sum(self.scores.values())


def explain(cycle: Cycle, pod: PodEntry) -> list[NodeView]:
    """Possible nodes first, the best of them on top; then the others by name."""
    filtered = cycle.filter(pod)
    columns = cycle.columns
    scores = {name: (cycle.score(name, pod, filtered.code), weight) for name, weight in cycle.profile.scores.items()}
    views = []
    for name, row in columns.rows.items():
        if columns.nodes[row] is None:
            continue
        reasons = tuple(reasons_of(filtered, row))
        if reasons:
            views.append(NodeView(name, reasons, _lacks(cycle, pod, filtered, row)))
        else:
            found = {plugin: raw[row] * weight for plugin, (raw, weight) in scores.items() if raw is not None}
            views.append(NodeView(name, scores=found))
    return sorted(views, key=lambda view: (bool(view.reasons), -view.total, view.node))


def closest(views: Sequence[NodeView]) -> NodeView | None:
    """The impossible node that needs the least: only room, of the fewest resources, the least of it."""
    short = [view for view in views if view.lacks]
    return min(short, key=lambda view: (len(view.lacks), [amount for _, amount in view.lacks], view.node), default=None)


def _lacks(cycle: Cycle, pod: PodEntry, filtered: Filtered, row: int) -> tuple[tuple[str, int], ...]:
    if filtered.message or filtered.code[row] not in (FIT, FIT_NEVER):
        return ()
    return tuple(shortage(cycle, pod, row))


class Snapshot:
    """The cluster from JSON of whole objects."""

    # What to list; the order does not matter.
    TARGETS: tuple[Target, ...] = (
        NODES,
        PODS,
        NAMESPACES,
        *(target for target, _ in OWNERS),
        *(target for target, _ in KINDS),
    )

    def __init__(self, profile: Profile | None = None) -> None:
        self._columns, self._owners, self._storage = Columns(), Owners(), Storage()
        self._pods: dict[str, PodEntry] = {}
        self._interner = Interner()
        self._decode_pod = msgspec.json.Decoder(PodObject).decode
        self._cycle = Cycle(
            self._columns, profile or Profile(), Nominations(), self._owners.selector, VolumeFilter(self._storage)
        )

    def add(self, target: Target, items: Iterable[bytes]) -> None:
        for item in items:
            self._add(target, item)

    def explain(self, key: str) -> list[NodeView]:
        """Every node for the pod `namespace/name`, as if it were not placed yet. KeyError when there is no such pod."""
        asked = self._pods[key]
        for pod in self._pods.values():
            if pod.node_name and not pod.finished and pod is not asked:
                self._columns.add_pod(pod, pod.node_name)
        return explain(self._cycle, asked)

    def _add(self, target: Target, item: bytes) -> None:
        if target is PODS:
            pod = self._interner.entry(self._decode_pod(item))
            self._pods[pod.key] = pod
        elif target is NODES:
            self._columns.put_node(msgspec.json.decode(item, type=NodeObject))
        elif target is NAMESPACES:
            space = msgspec.json.decode(item, type=NamespaceObject).metadata
            self._columns.tallies.put_namespace(space.name, space.labels or {})
        elif target in _MAPPED:
            struct: Any = MapSelectorObject if _MAPPED[target] else SelectorObject
            owner = msgspec.json.decode(item, type=struct)
            key = key_of(owner.metadata.namespace, owner.metadata.name)
            self._owners.changer(target.kind)(key, None, owner)
        else:
            meta = msgspec.json.decode(item, type=NamespaceObject).metadata
            key = key_of(meta.namespace, meta.name)
            self._storage.change(target, key, msgspec.json.decode(item, type=_STORED[target]))


_MAPPED = dict(OWNERS)
_STORED = dict(KINDS)


def render(key: str, node_name: str, views: Sequence[NodeView]) -> str:
    """A page for people: where it could be with scores, where it could not and why, and what is nearest."""
    possible = [view for view in views if not view.reasons]
    lines = [f"pod {key} is on {node_name}" if node_name else f"pod {key} has no node"]
    lines += _score_table(possible)
    lines += _reason_table([view for view in views if view.reasons])
    near = closest(views) if not possible else None
    if near is not None:
        needs = ", ".join(f"{_quantity(name, amount)} more {name}" for name, amount in near.lacks)
        lines += ["", f"nearest: {near.node} needs {needs}"]
    return "\n".join(lines)


def _score_table(possible: Sequence[NodeView]) -> list[str]:
    if not possible:
        return []
    plugins = list(possible[0].scores)
    width = max(len("NODE"), *(len(view.node) for view in possible))
    lines = ["", "  ".join([f"{'NODE':{width}}", "TOTAL", *plugins])]
    for view in possible:
        cells = [f"{view.scores[plugin]:>{len(plugin)}}" for plugin in plugins]
        lines.append("  ".join([f"{view.node:{width}}", f"{view.total:>5}", *cells]))
    return lines


def _reason_table(impossible: Sequence[NodeView]) -> list[str]:
    nodes: dict[str, list[str]] = {}
    for view in impossible:
        for reason in view.reasons:
            nodes.setdefault(reason, []).append(view.node)
    if not nodes:
        return []
    rows = sorted(nodes.items(), key=lambda row: (-len(row[1]), row[0]))
    return ["", "NODES  REASON", *(f"{len(names):>5}  {reason}: {_some(names)}" for reason, names in rows)]


# More names than a line holds help nobody.
NAMES_MAX = 5


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMES_MAX
    return ", ".join(names[:NAMES_MAX]) + (f" and {more} more" if more > 0 else "")


def _quantity(name: str, amount: int) -> str:
    if name == "cpu":
        return f"{amount}m"
    return f"{-(-amount // 2**20)}Mi" if name in ("memory", "ephemeral-storage") else str(amount)
