"""Why a pod is where it is, or nowhere: every node against every plugin, for `cybernetes explain pod`.

enters   a Cycle and a pod
leaves   one row a node: the reasons against it, or its scores by plugin
holds    nothing is decided and nothing is changed
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NamespaceObject, NodeObject, PodObject
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.preempt import reasons_of
from cybernetes.scheduler.profile import Profile


class NodeView(msgspec.Struct, frozen=True):
    """One node for one pod.

    reasons   why it is not possible; empty when it is
    scores    plugin -> weighted score of a possible node; plugins that give all nodes the same are left out
    """

    node: str
    reasons: tuple[str, ...]
    scores: dict[str, int]

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
        reasons = reasons_of(filtered, row)
        found = {} if reasons else {plugin: raw[row] * weight for plugin, (raw, weight) in scores.items() if raw}
        views.append(NodeView(name, tuple(reasons), found))
    return sorted(views, key=lambda view: (bool(view.reasons), -view.total, view.node))


def explain_in(
    pod: bytes, *, nodes: Iterable[bytes], pods: Iterable[bytes], namespaces: Iterable[bytes] = (), profile: Profile
) -> list[NodeView]:
    """The same from JSON of whole objects, for callers that are no scheduler; the pod itself is not counted."""
    columns, interner = Columns(), Interner()
    decode = msgspec.json.Decoder(PodObject).decode
    for each in namespaces:
        found = msgspec.json.decode(each, type=NamespaceObject)
        columns.tallies.put_namespace(found.metadata.name, found.metadata.labels or {})
    for each in nodes:
        columns.put_node(msgspec.json.decode(each, type=NodeObject))
    asked = interner.entry(decode(pod))
    for each in pods:
        other = interner.entry(decode(each))
        if other.node_name and not other.finished and other.key != asked.key:
            columns.add_pod(other, other.node_name)
    return explain(Cycle(columns, profile, Nominations()), asked)
