"""Many equal pods at once: one crossing into the kernels places all of them, one after the other.

enters   pods of one shape and one label set, to which only room, labels and taints of nodes matter
leaves   a row for each, as `Cycle.decide` would have given it; -1 from the first on that has no place
holds    the columns' room is counted by the kernel; whoever calls adds the pods with `Columns.add_counted`
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from cybernetes.base.random import Random
from cybernetes.native import load
from cybernetes.scheduler.columns import ID_PODS, ID_SCORED_CPU, ID_SCORED_MEMORY, Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.pods import PodEntry, Shape
from cybernetes.scheduler.tallies import SIDES

kernels = load("score")

# Larger than any number of nodes by far, so that every tie is about equally likely.
CHANCES = 2**40


def is_plain(cycle: Cycle, pod: PodEntry) -> bool:
    """Whether a placement changes nothing for the next equal pod but the room on its node."""
    profile, spec, standing = cycle.profile, pod.shape.spec, cycle.standing(pod)
    return not (
        pod.shape.terms is not None
        or pod.shape.ports
        or pod.nominated
        or spec.resource_claims
        or standing.conflict
        or cycle.fit(pod).refused
        # Normalized over the possible nodes, which become fewer from pod to pod.
        or standing.disliked is not None
        or standing.preferred is not None
        or cycle.has_nominations
        or cycle.has_volumes(pod)
        or cycle.is_spread(pod)
        or profile.late
        or profile.outside
        or "NodeResourcesFit" not in profile.filters
        or any(cycle.columns.tallies.carried(side, pod.label_set) for side in SIDES)
    )


def are_alike(first: PodEntry, other: PodEntry) -> bool:
    """Whether two pods can be in one batch."""
    return (
        first.shape is other.shape
        and first.label_set is other.label_set
        and first.owner == other.owner
        and not other.nominated
    )


def place(cycle: Cycle, pods: Sequence[PodEntry], random: Random) -> array[int]:
    """The row of each pod, alike and plain; -1 from the first on that has no place."""
    columns, pod = cycle.columns, pods[0]
    standing, fit, scores = cycle.standing(pod), cycle.fit(pod), cycle.profile.scores
    images = cycle.score("ImageLocality", pod, standing.code) if "ImageLocality" in scores else None
    extra = array("q", bytes(8 * len(standing.code)))
    if images is not None:
        kernels.add_scaled(images, scores["ImageLocality"], extra)
    chances = array("q", [random.below(CHANCES) for _ in pods])
    chosen = array("i", bytes(4 * len(pods)))
    weights = scores.get("NodeResourcesFit", 0), scores.get("NodeResourcesBalancedAllocation", 0)
    fit.place(columns, standing.code, extra, taken(columns, pod.shape), weights, chances, chosen)
    return chosen


def taken(columns: Columns, shape: Shape) -> tuple[array[int], array[int]]:
    """Resource ids and amounts that one pod of the shape takes from its node."""
    requests = shape.requests
    ids = array("i", [ID_PODS, ID_SCORED_CPU, ID_SCORED_MEMORY])
    amounts = array("q", [1, requests.scored_cpu_milli, requests.scored_memory_bytes])
    for name, amount in requests.amounts:
        ids.append(columns.resource_id(name))
        amounts.append(amount)
    return ids, amounts
