"""Why a pod is where it is, or nowhere: every node against every plugin, for `cybernetes explain pod`.

enters   a Cycle and a pod
leaves   one view a node: the reasons against it, what it lacks, or its scores by plugin
holds    nothing is decided and nothing is changed; the code is the scheduler's own
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.outcome import Filtered
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.preempt import reasons_of
from cybernetes.scheduler.reasons import FIT, FIT_NEVER
from cybernetes.scheduler.room import shortage
from cybernetes.scheduler.snapshot import Snapshot


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


def explain_placed(snapshot: Snapshot, key: str) -> list[NodeView]:
    """Every node for the pod `namespace/name`, as if it were not placed yet.

    raises   KeyError when there is no such pod, or when its scheduler is none of the snapshot's
    """
    asked = snapshot.pods[key]
    snapshot.place_running(leave_out=key)
    return explain(snapshot.cycles[asked.shape.spec.scheduler_name], asked)


def closest(views: Sequence[NodeView]) -> NodeView | None:
    """The impossible node that needs the least: only room, of the fewest resources, the least of it."""
    short = [view for view in views if view.lacks]
    return min(short, key=lambda view: (len(view.lacks), [amount for _, amount in view.lacks], view.node), default=None)


def _lacks(cycle: Cycle, pod: PodEntry, filtered: Filtered, row: int) -> tuple[tuple[str, int], ...]:
    if filtered.message or filtered.code[row] not in (FIT, FIT_NEVER):
        return ()
    return tuple(shortage(cycle, pod, row))


def render(key: str, node_name: str, views: Sequence[NodeView]) -> str:
    """A page for people: where it could be with scores, where it could not and why, and what is nearest."""
    possible = [view for view in views if not view.reasons]
    lines = [f"pod {key} is on {node_name}" if node_name else f"pod {key} has no node"]
    if not views:
        lines += ["", "there are no nodes; look at: kubectl get nodes"]
    lines += _score_table(possible)
    lines += _against_runner_up(node_name, possible)
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


def _against_runner_up(node_name: str, possible: Sequence[NodeView]) -> list[str]:
    """Which plugins made the difference between the pod's node (or the best one) and the best of the others."""
    chosen = next((view for view in possible if view.node == node_name), possible[0] if possible else None)
    other = next((view for view in possible if view is not chosen), None)
    if chosen is None or other is None:
        return []
    plugins = dict.fromkeys([*chosen.scores, *other.scores])
    points = {each: chosen.scores.get(each, 0) - other.scores.get(each, 0) for each in plugins}
    ranked = sorted(points.items(), key=lambda row: (-abs(row[1]), row[0]))
    words = ", ".join(f"{plugin} {diff:+d}" for plugin, diff in ranked if diff)
    head = f"{chosen.node} against {other.node}: {chosen.total - other.total:+d}"
    return ["", f"{head} ({words})" if words else f"{head}, equal in everything: one of the best is drawn"]


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
