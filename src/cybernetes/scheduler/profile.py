"""A scheduling profile, ready to be used: which plugins filter and score, with what weight and arguments."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Protocol

import msgspec

from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.objects import NodeAffinity
from cybernetes.scheduler.plugins.interpod import InterPodArgs
from cybernetes.scheduler.plugins.resources import FitArgs
from cybernetes.scheduler.plugins.spread import SYSTEM_DEFAULTS, Default
from cybernetes.scheduler.pods import PodEntry

DEFAULT_NAME = "default-scheduler"

# In the order in which filters run: the first that rejects a node names the reason.
FILTERS = (
    "NodeUnschedulable",
    "NodeName",
    "TaintToleration",
    "NodeAffinity",
    "NodePorts",
    "NodeResourcesFit",
    "VolumeRestrictions",
    "NodeVolumeLimits",
    "VolumeBinding",
    "VolumeZone",
    "PodTopologySpread",
    "InterPodAffinity",
    "DynamicResources",
)
SCORES = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "NodeResourcesFit": 1,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
    "DynamicResources": 2,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}

# What a filter from outside says of a node: "" (possible), or a reason and whether removing pods could help.
Rejection = tuple[str, bool]


class RowFilter(Protocol):
    """A filter that looks at one node after the other, after the kernels, on the nodes that are left."""

    name: str

    def prepare(self, pod: PodEntry) -> str | None:
        """Words of rejection that hold for every node, "" to go on, None when the filter has nothing to say."""
        ...

    def reject(self, pod: PodEntry, columns: Columns, row: int) -> Rejection | None:
        """None when the node is possible."""
        ...


class RowScore(Protocol):
    """A score from outside: 0..100 for each possible node; `out` holds zeros."""

    name: str

    def score(self, pod: PodEntry, columns: Columns, code: array[int], out: array[int]) -> bool:
        """False when the plugin has nothing to say about this pod."""
        ...


class PreemptionArgs(msgspec.Struct, frozen=True):
    candidates_percent: int = 10
    candidates_min: int = 100


class Profile(msgspec.Struct, frozen=True):
    """What one scheduler name means.

    scores      plugin -> weight; filters and row plugins by presence
    late        row filters, after all others; outside: scores from outside
    """

    name: str = DEFAULT_NAME
    filters: frozenset[str] = frozenset(FILTERS)
    scores: dict[str, int] = msgspec.field(default_factory=lambda: dict(SCORES))
    fit: FitArgs = FitArgs()
    interpod: InterPodArgs = InterPodArgs()
    preemption: PreemptionArgs | None = PreemptionArgs()
    added_affinity: NodeAffinity | None = None
    spread_defaults: tuple[Default, ...] = SYSTEM_DEFAULTS
    spread_system: bool = True
    late: Sequence[RowFilter] = ()
    outside: Sequence[RowScore] = ()
