"""One decision: which node a pod goes to, or why to none.

enters   a pod, the columns, a profile
leaves   Placement(node, score, ...), or Unschedulable(reasons by node, Kubernetes' message)
holds    no clock, no I/O; the only chance is the caller's, among nodes with the same highest total;
         every possible node is scored
source   Kubernetes documentation "Scheduling Framework"
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from cybernetes.base.random import Random
from cybernetes.native import load
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.devices import filters as devices
from cybernetes.scheduler.devices.filters import NO_GRANT, DeviceFilter, Grant
from cybernetes.scheduler.devices.state import Devices
from cybernetes.scheduler.nominations import Crowd, Nominations
from cybernetes.scheduler.outcome import Filtered, Placement, Unschedulable, unschedulable
from cybernetes.scheduler.plugins.caches import Recent
from cybernetes.scheduler.plugins.images import ImageScores
from cybernetes.scheduler.plugins.interpod import filter_interpod, score_interpod
from cybernetes.scheduler.plugins.ports import filter_ports
from cybernetes.scheduler.plugins.resources import Fit
from cybernetes.scheduler.plugins.spread import NOTHING, Plan, default_plan, filter_spread, plan, score_spread
from cybernetes.scheduler.plugins.standing import Standing
from cybernetes.scheduler.pods import PodEntry, terms_of
from cybernetes.scheduler.profile import Profile, Rejection, RowFilter
from cybernetes.scheduler.reasons import FIT, FIT_NEVER, NO_NODES, OTHER, OTHER_NEVER
from cybernetes.scheduler.selectors import Selector
from cybernetes.scheduler.storage.choose import Choices, Claims, choices
from cybernetes.scheduler.storage.filters import VolumeFilter
from cybernetes.scheduler.storage.state import Storage

kernels = load("score")

# What selects the pod among the owners in its namespace (Services, ReplicaSets, ...); None: nothing does.
OwnerSelector = Callable[[PodEntry], Selector | None]


class Cycle:
    """Decides with one profile; keeps what it computed for a shape until its inputs change."""

    def __init__(
        self,
        columns: Columns,
        profile: Profile,
        nominations: Nominations,
        owners: OwnerSelector = lambda pod: None,
        volumes: VolumeFilter | None = None,
        claimed: DeviceFilter | None = None,
    ) -> None:
        self.columns = columns
        self.profile = profile
        self._nominations = nominations
        self._crowd = Crowd(columns, nominations)
        self._owners = owners
        self._volumes = volumes or VolumeFilter(Storage())
        self._devices = claimed or DeviceFilter(Devices())
        self._standing: Recent[Standing] = Recent()
        self._fits: Recent[Fit] = Recent()
        self._plans: Recent[Plan] = Recent()
        self._images: Recent[ImageScores] = Recent()

    def decide(self, pod: PodEntry, random: Random) -> Placement | Unschedulable:
        if not self.columns.count:
            return Unschedulable(NO_NODES, frozenset())
        filtered = self.filter(pod)
        possible = filtered.possible()
        if not possible:
            return unschedulable(filtered, self.columns.count)
        names = self.columns.names
        if pod.nominated:
            row = self.columns.rows.get(pod.nominated, -1)
            if 0 <= row < len(filtered.code) and filtered.code[row] == 0:
                return Placement(names[row], 0, 1)
        if possible == 1:
            return Placement(names[kernels.first_possible(filtered.code)], 0, 1)
        total = self.total(pod, filtered.code)
        ties = kernels.best(total, filtered.code)
        row = kernels.best_at(total, filtered.code, random.below(ties) if ties > 1 else 0)
        return Placement(names[row], total[row], possible)

    def volume_choices(self, pod: PodEntry, node_name: str) -> Choices:
        """What to bind and provision for a pod that was placed on the node."""
        node = self.columns.node(node_name)
        claims = self._volumes.claims(pod) if pod.claims and "VolumeBinding" in self.profile.filters else None
        if node is None or not isinstance(claims, Claims):
            return Choices()
        found = choices(self._volumes.storage, claims, node)
        return found if isinstance(found, Choices) else Choices()

    def device_grant(self, pod: PodEntry, node_name: str) -> Grant:
        """The devices of a pod that was placed on the node."""
        node = self.columns.node(node_name)
        if node is None or not pod.device_claims or devices.NAME not in self.profile.filters:
            return NO_GRANT
        return self._devices.grant(pod, node)

    def has_volumes(self, pod: PodEntry) -> bool:
        return self._volumes.concerns(pod)

    def is_spread(self, pod: PodEntry) -> bool:
        """Whether any spread constraint, hard or soft, applies to the pod."""
        found = self.plan(pod)
        return bool(found.hard or found.soft)

    @property
    def has_nominations(self) -> bool:
        return bool(self._nominations)

    def only_room_matters(self, pod: PodEntry) -> bool:
        """Whether ports, volumes, pods on other nodes and plugins that look at pods have no say in where the pod fits."""
        terms = terms_of(pod)
        return not (
            pod.shape.ports
            or self.has_volumes(pod)
            or pod.shape.spec.resource_claims
            or terms.required
            or terms.required_anti
            or self.plan(pod).hard
            or self.profile.late
            or not self._nominations.need_only_room
            or self.columns.tallies.carried("required_anti", pod.label_set)
        )

    def nominated_node(self, pod: PodEntry) -> str:
        """The node that was freed for the pod; "" when none was."""
        found = self._nominations.find(pod.key)
        return found[1] if found is not None else pod.nominated

    def crowd(self, pod: PodEntry) -> array[int]:
        """What the nominated pods will take that count when this one is judged; shape of `Columns.used`."""
        return self._crowd.of_rivals(pod)

    # Filters.

    def filter(self, pod: PodEntry) -> Filtered:
        """Filters with the nominated pods of at least this pod's priority on their nodes, and without them."""
        filtered = self.filter_plain(pod)
        if filtered.message or not self._nominations:
            return filtered
        if self.only_room_matters(pod):
            self._filter_crowded(pod, filtered)
            return filtered
        for name, others in self._nominations.rivals(pod):
            row = self.columns.rows.get(name)
            # Where room is missing anyway, more of it may be missing with them.
            if row is not None and row < len(filtered.code) and filtered.code[row] in (0, FIT):
                self._filter_with(pod, name, others, filtered)
        return filtered

    def filter_plain(self, pod: PodEntry) -> Filtered:
        standing = self.standing(pod)
        fit = self.fit(pod)
        filtered = Filtered(standing.code[:], fit, fit.bits, {})
        if standing.conflict:
            filtered.message = standing.conflict
            filtered.plugins = {"NodeAffinity"}
            return filtered
        active = self.profile.filters
        if fit.refused and "NodeResourcesFit" in active:
            filtered.message = fit.refused
            filtered.plugins = {"NodeResourcesFit"}
            return filtered
        if pod.shape.ports and "NodePorts" in active:
            filter_ports(self.columns, pod.shape.ports, filtered.code)
        if "NodeResourcesFit" in active:
            fit.filter(filtered.code)
        if self._volumes.concerns(pod):
            filtered.message = self._volumes.filter(pod, self.columns, active, filtered.code)
            if filtered.message:
                filtered.plugins = {"VolumeBinding"}
                return filtered
        constraints = self.plan(pod).hard
        if constraints and "PodTopologySpread" in active:
            filter_spread(self.columns, standing, constraints, filtered.code)
        if "InterPodAffinity" in active:
            filter_interpod(self.columns, standing, pod, filtered.code)
        if pod.device_claims and devices.NAME in active:
            filtered.message = self._devices.filter(pod, self.columns, filtered.code, filtered.words)
            if filtered.message or filtered.words:
                filtered.plugins = filtered.plugins | {devices.NAME}
        self._filter_rows(pod, self.profile.late, filtered)
        return filtered

    def standing(self, pod: PodEntry) -> Standing:
        found = self._standing.get(pod.shape.key)
        if found is None or found.version != self.columns.version:
            found = Standing(self.columns, pod.shape, self.profile.filters, self.profile.added_affinity)
            # Learning label values never changes a node, so the version read before still holds.
            self._standing.put(pod.shape.key, found)
        return found

    def fit(self, pod: PodEntry) -> Fit:
        found = self._fits.get(pod.shape.requests)
        if found is None:
            found = self._fits.put(pod.shape.requests, Fit(self.columns, pod.shape.requests, self.profile.fit))
        found.refresh(self.columns)
        return found

    def plan(self, pod: PodEntry) -> Plan:
        """The pod's spread constraints, or the profile's where it has none and an owner selects it."""
        if pod.shape.spec.topology_spread_constraints:
            key = (pod.shape.key, pod.label_set.key)
            return self._plans.get(key) or self._plans.put(key, plan(pod))
        if not self.profile.spread_defaults:
            return NOTHING
        selector = self._owners(pod)
        if not selector:
            return NOTHING
        return default_plan(pod, self.profile.spread_defaults, selector, all_keys=not self.profile.spread_system)

    def _filter_rows(self, pod: PodEntry, filters: Sequence[RowFilter], filtered: Filtered) -> None:
        for each in filters:
            if filtered.message:
                return
            words = each.prepare(pod)
            if words is None:
                continue
            if words:
                filtered.message = words
                filtered.plugins = {each.name}
                return
            for row, value in enumerate(filtered.code):
                if value == 0:
                    self._note(row, each.reject(pod, self.columns, row), each.name, filtered)

    def _note(self, row: int, rejection: Rejection | None, plugin: str, filtered: Filtered) -> None:
        if rejection is None:
            return
        text, resolvable = rejection
        filtered.code[row] = OTHER if resolvable else OTHER_NEVER
        filtered.words[row] = text
        filtered.plugins = filtered.plugins | {plugin}

    def _filter_crowded(self, pod: PodEntry, filtered: Filtered) -> None:
        """The same as `_filter_with` of every rival, by arithmetic, for a pod to which only room matters."""
        if "NodeResourcesFit" in self.profile.filters:
            filtered.bits = filtered.fit.bits[:]
            filtered.fit.filter_crowded(self.columns, self.crowd(pod), filtered.bits, filtered.code)

    def _filter_with(self, pod: PodEntry, name: str, others: list[PodEntry], filtered: Filtered) -> None:
        """Judge one node as if the pods that are nominated to it ran there already."""
        row = self.columns.rows[name]
        for other in others:
            self.columns.add_pod(other, name)
        try:
            crowded = self.filter_plain(pod)
            filtered.code[row] = crowded.code[row]
            if crowded.code[row] in (FIT, FIT_NEVER):
                # The bits are the cache's and go back with the pods; keep the words.
                filtered.words[row] = "\n".join(crowded.texts(row))
                filtered.code[row] = OTHER if crowded.code[row] == FIT else OTHER_NEVER
                filtered.plugins = filtered.plugins | {"NodeResourcesFit"}
            elif row in crowded.words:
                filtered.words[row] = crowded.words[row]
                filtered.plugins = filtered.plugins | crowded.plugins
        finally:
            for other in others:
                self.columns.remove_pod(other, name)
        self.fit(pod)

    # Scores.

    def total(self, pod: PodEntry, code: array[int]) -> array[int]:
        """Weighted sums by row, of what differs between nodes: a plugin that gives all the same is left out."""
        total = array("q", bytes(8 * len(code)))
        for name, weight in self.profile.scores.items():
            found = self.score(name, pod, code)
            if found is not None:
                kernels.add_scaled(found, weight, total)
        for plugin in self.profile.outside:
            out = array("q", bytes(8 * len(code)))
            if plugin.score(pod, self.columns, code, out):
                kernels.add_scaled(out, self.profile.scores.get(plugin.name, 1), total)
        return total

    def score(self, name: str, pod: PodEntry, code: array[int]) -> array[int] | None:
        """One plugin's scores 0..100 by row; None when all possible nodes get the same."""
        match name:
            case "NodeResourcesFit":
                return self.fit(pod).score
            case "NodeResourcesBalancedAllocation":
                return self.fit(pod).balance
            case "TaintToleration":
                return _reversed_share(self.standing(pod).disliked, code)
            case "NodeAffinity":
                return _share(self.standing(pod).preferred, code)
            case "ImageLocality":
                return self._image_scores(pod)
            case "PodTopologySpread":
                return score_spread(self.columns, self.standing(pod), self.plan(pod), code)
            case "DynamicResources":
                return self._devices.score(pod, code) if pod.device_claims else None
            case "InterPodAffinity":
                return score_interpod(self.columns, self.standing(pod), pod, self.profile.interpod, code)
        return None

    def _image_scores(self, pod: PodEntry) -> array[int] | None:
        if not self.columns.images:
            return None
        found = self._images.get(pod.shape.key)
        if found is None or not found.is_current(self.columns):
            found = self._images.put(pod.shape.key, ImageScores(self.columns, pod.shape.spec))
        return found.scores


def _share(raw: array[int] | None, code: array[int]) -> array[int] | None:
    if raw is None:
        return None
    out = array("q", bytes(8 * len(code)))
    kernels.normalize_share(raw, code, out)
    return out


def _reversed_share(raw: array[int] | None, code: array[int]) -> array[int] | None:
    """100 less the share, so that the lowest is best; None when all are equally good."""
    if raw is None:
        return None
    share = array("q", bytes(8 * len(code)))
    if not kernels.normalize_share(raw, code, share):
        return None
    out = array("q", [100]) * len(code)
    kernels.add_scaled(share, -1, out)
    return out
