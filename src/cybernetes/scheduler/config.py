"""KubeSchedulerConfiguration, decoded strictly and made ready to use.

enters   the document as a dict (kubescheduler.config.k8s.io/v1)
leaves   Config: profiles, backoff, leader election
fails    ConfigError with the field's path: unknown fields, unknown plugins, values out of range
source   Kubernetes reference "kube-scheduler Configuration (v1)"
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from cybernetes.scheduler.config_extenders import ExtenderSection, extender_terms
from cybernetes.scheduler.config_fields import ConfigError, Strict, require, seconds
from cybernetes.scheduler.extenders import Terms
from cybernetes.scheduler.objects import NodeAffinity
from cybernetes.scheduler.outside import Outside
from cybernetes.scheduler.plugins.interpod import InterPodArgs
from cybernetes.scheduler.plugins.resources import BALANCED_MAX, MODES, FitArgs, Strategy
from cybernetes.scheduler.plugins.spread import SYSTEM_DEFAULTS, Default
from cybernetes.scheduler.profile import DEFAULT_NAME, FILTERS, SCORES, PreemptionArgs, Profile
from cybernetes.scheduler.queue import Backoff

API_VERSION = "kubescheduler.config.k8s.io/v1"
KIND = "KubeSchedulerConfiguration"

PREEMPTION = "DefaultPreemption"
# Plugins that are always on: without them nothing would be queued or bound.
ALWAYS = ("SchedulingGates", "PrioritySort", "DefaultBinder")
KNOWN = (*FILTERS, *SCORES, PREEMPTION, *ALWAYS)

T = TypeVar("T")


class Election(msgspec.Struct, frozen=True):
    namespace: str = "kube-system"
    name: str = "kube-scheduler"
    lease_s: int = 15
    renew_s: float = 10.0
    retry_s: float = 2.0


class Config(msgspec.Struct, frozen=True):
    """election None: this process is the only one and decides at once."""

    profiles: tuple[Profile, ...] = (Profile(),)
    backoff: Backoff = Backoff()
    election: Election | None = None
    extenders: tuple[Terms, ...] = ()


class _Plugin(Strict):
    name: str
    weight: int = 0


class _PluginSet(Strict):
    enabled: list[_Plugin] = []
    disabled: list[_Plugin] = []


class _Plugins(Strict):
    multi_point: _PluginSet = msgspec.field(default_factory=_PluginSet)
    pre_enqueue: _PluginSet = msgspec.field(default_factory=_PluginSet)
    queue_sort: _PluginSet = msgspec.field(default_factory=_PluginSet)
    pre_filter: _PluginSet = msgspec.field(default_factory=_PluginSet)
    filter: _PluginSet = msgspec.field(default_factory=_PluginSet)
    post_filter: _PluginSet = msgspec.field(default_factory=_PluginSet)
    pre_score: _PluginSet = msgspec.field(default_factory=_PluginSet)
    score: _PluginSet = msgspec.field(default_factory=_PluginSet)
    reserve: _PluginSet = msgspec.field(default_factory=_PluginSet)
    permit: _PluginSet = msgspec.field(default_factory=_PluginSet)
    pre_bind: _PluginSet = msgspec.field(default_factory=_PluginSet)
    bind: _PluginSet = msgspec.field(default_factory=_PluginSet)
    post_bind: _PluginSet = msgspec.field(default_factory=_PluginSet)


class _PluginConfig(Strict):
    name: str
    args: dict[str, Any] = {}


class _Profile(Strict):
    scheduler_name: str = DEFAULT_NAME
    percentage_of_nodes_to_score: int | None = None
    plugins: _Plugins = msgspec.field(default_factory=_Plugins)
    plugin_config: list[_PluginConfig] = []


class _Election(Strict):
    leader_elect: bool = True
    lease_duration: str = "15s"
    renew_deadline: str = "10s"
    retry_period: str = "2s"
    resource_lock: str = "leases"
    resource_name: str = "kube-scheduler"
    resource_namespace: str = "kube-system"


class _Document(Strict):
    api_version: str = API_VERSION
    kind: str = KIND
    parallelism: int = 16
    leader_election: _Election = msgspec.field(default_factory=_Election)
    client_connection: dict[str, Any] = {}
    enable_profiling: bool = True
    enable_contention_profiling: bool = True
    percentage_of_nodes_to_score: int = 0
    pod_initial_backoff_seconds: int = 1
    pod_max_backoff_seconds: int = 10
    delay_cache_until_active: bool = False
    profiles: list[_Profile] = []
    extenders: list[ExtenderSection] = []


class _Args(Strict):
    """Every plugin's arguments may name their type."""

    api_version: str = API_VERSION
    kind: str = ""


class _Weighted(Strict):
    name: str
    weight: int = 1


class _Point(Strict):
    utilization: int
    score: int


class _Ratio(Strict):
    shape: list[_Point] = []


class _Strategy(Strict):
    type: str = "LeastAllocated"
    resources: list[_Weighted] | None = None
    requested_to_capacity_ratio: _Ratio = msgspec.field(default_factory=_Ratio)


class _FitArgs(_Args):
    ignored_resources: list[str] = []
    ignored_resource_groups: list[str] = []
    scoring_strategy: _Strategy = msgspec.field(default_factory=_Strategy)


class _BalancedArgs(_Args):
    resources: list[_Weighted] | None = None


class _InterPodArgs(_Args):
    hard_pod_affinity_weight: int = 1
    ignore_preferred_terms_of_existing_pods: bool = False


class _PreemptionArgs(_Args):
    min_candidate_nodes_percentage: int = 10
    min_candidate_nodes_absolute: int = 100


class _NodeAffinityArgs(_Args):
    added_affinity: NodeAffinity | None = None


class _Constraint(Strict):
    max_skew: int
    topology_key: str
    when_unsatisfiable: str


class _SpreadArgs(_Args):
    default_constraints: list[_Constraint] = []
    defaulting_type: str = "System"


def decode(document: Mapping[str, Any], outside: Outside | None = None) -> Config:
    """`outside`: plugins that installed packages offer. Raises ConfigError."""
    found = _convert(document, _Document, "")
    require(found.api_version == API_VERSION, "apiVersion", f"must be {API_VERSION}")
    require(found.kind == KIND, "kind", f"must be {KIND}")
    extenders = extender_terms(found.extenders)
    first, limit = found.pod_initial_backoff_seconds, found.pod_max_backoff_seconds
    require(first > 0, "podInitialBackoffSeconds", "must be greater than 0")
    require(limit >= first, "podMaxBackoffSeconds", "must be greater than or equal to PodInitialBackoffSeconds")
    profiles = [
        _profile(each, outside or Outside(), f"profiles[{n}]") for n, each in enumerate(found.profiles or [_Profile()])
    ]
    names = [each.name for each in profiles]
    for n, name in enumerate(names):
        require(name not in names[:n], f"profiles[{n}].schedulerName", f'Duplicate value: "{name}"')
    unscheduled = frozenset(name for each in extenders for name in each.unscheduled)
    ready = tuple(_without(each, unscheduled) for each in profiles)
    return Config(ready, Backoff(float(first), float(limit)), _election(found.leader_election), extenders)


def _without(profile: Profile, resources: frozenset[str]) -> Profile:
    """The profile that leaves these resources to extenders."""
    fit = msgspec.structs.replace(profile.fit, ignored=profile.fit.ignored | resources)
    return msgspec.structs.replace(profile, fit=fit)


def _election(found: _Election) -> Election | None:
    if not found.leader_elect:
        return None
    require(found.resource_lock == "leases", "leaderElection.resourceLock", 'must be "leases"')
    lease_s = seconds(found.lease_duration, "leaderElection.leaseDuration")
    renew_s = seconds(found.renew_deadline, "leaderElection.renewDeadline")
    require(lease_s > renew_s, "leaderElection.leaseDuration", "must be greater than RenewDeadline")
    retry_s = seconds(found.retry_period, "leaderElection.retryPeriod")
    return Election(found.resource_namespace, found.resource_name, int(lease_s), renew_s, retry_s)


def _profile(found: _Profile, outside: Outside, path: str) -> Profile:
    require(bool(found.scheduler_name), f"{path}.schedulerName", "Required value")
    filters, scores, preempts = _active(found.plugins, outside, f"{path}.plugins")
    args = {each.name: each.args for each in found.plugin_config}
    for name in args:
        _known(name, outside, f"{path}.pluginConfig")
    spread = _args(args, "PodTopologySpread", _SpreadArgs, path)
    return Profile(
        name=found.scheduler_name,
        filters=frozenset(name for name in filters if name in FILTERS),
        scores=scores,
        fit=_fit(args, path),
        interpod=_interpod(args, path),
        preemption=_preemption(args, path) if preempts else None,
        added_affinity=_args(args, "NodeAffinity", _NodeAffinityArgs, path).added_affinity,
        spread_defaults=_spread_defaults(spread, path),
        spread_system=spread.defaulting_type == "System",
        late=_built(outside.filters, filters, args),
        outside=_built(outside.scores, scores, args),
    )


def _active(plugins: _Plugins, outside: Outside, path: str) -> tuple[list[str], dict[str, int], bool]:
    """(filters in order, scores with weights, whether preemption is on)."""
    filters, scores, post = list(FILTERS), dict(SCORES), [PREEMPTION]
    filtering, scoring = {*FILTERS, *outside.filters}, {*SCORES, *outside.scores}
    for point in ("multi_point", "filter", "pre_filter", "score", "pre_score", "post_filter"):
        changes: _PluginSet = getattr(plugins, point)
        where = f"{path}.{point}"
        off = {each.name for each in changes.disabled}
        if point in ("multi_point", "filter"):
            filters = [name for name in filters if name not in off and "*" not in off]
        if point in ("multi_point", "score"):
            scores = {name: weight for name, weight in scores.items() if name not in off and "*" not in off}
        if point in ("multi_point", "post_filter"):
            post = [name for name in post if name not in off and "*" not in off]
        for each in changes.enabled:
            _known(each.name, outside, where)
            if point in ("multi_point", "filter") and each.name in filtering and each.name not in filters:
                filters.append(each.name)
            if point in ("multi_point", "score") and each.name in scoring:
                scores[each.name] = each.weight or scores.get(each.name) or 1
            if point in ("multi_point", "post_filter") and each.name == PREEMPTION and not post:
                post.append(each.name)
    return filters, scores, bool(post)


def _built(factories: Mapping[str, Any], active: Iterable[str], args: Mapping[str, dict[str, Any]]) -> tuple[Any, ...]:
    return tuple(factories[name](args.get(name, {})) for name in active if name in factories)


def _fit(args: Mapping[str, Any], path: str) -> FitArgs:
    where = f"{path}.pluginConfig[NodeResourcesFit]"
    fit = _args(args, "NodeResourcesFit", _FitArgs, path)
    balanced = _args(args, "NodeResourcesBalancedAllocation", _BalancedArgs, path)
    strategy = fit.scoring_strategy
    require(strategy.type in MODES, f"{where}.scoringStrategy.type", f"must be one of {', '.join(MODES)}")
    points = strategy.requested_to_capacity_ratio.shape
    if strategy.type == "RequestedToCapacityRatio":
        require(bool(points), f"{where}.scoringStrategy.requestedToCapacityRatio.shape", "at least one point")
    rising = all(a.utilization < b.utilization for a, b in itertools.pairwise(points))
    inside = all(0 <= each.utilization <= 100 and 0 <= each.score <= 10 for each in points)
    require(rising and inside, f"{where}.shape", "utilization 0-100 must rise, score must be 0-10")
    few = len(balanced.resources or ()) <= BALANCED_MAX
    require(few, f"{path}.pluginConfig[NodeResourcesBalancedAllocation].resources", f"at most {BALANCED_MAX}")
    default = Strategy()
    return FitArgs(
        Strategy(
            strategy.type,
            _weighted(strategy.resources, f"{where}.scoringStrategy.resources") or default.resources,
            tuple(value for each in points for value in (each.utilization, each.score * 10)),
        ),
        frozenset(fit.ignored_resources),
        frozenset(fit.ignored_resource_groups),
        _weighted(balanced.resources, f"{path}.pluginConfig[NodeResourcesBalancedAllocation].resources")
        or FitArgs().balanced,
    )


def _weighted(found: list[_Weighted] | None, path: str) -> tuple[tuple[str, int], ...]:
    for each in found or ():
        require(1 <= each.weight <= 100, path, f"weight of {each.name} must be in the range 1-100")
    return tuple((each.name, each.weight) for each in found or ())


def _interpod(args: Mapping[str, Any], path: str) -> InterPodArgs:
    found = _args(args, "InterPodAffinity", _InterPodArgs, path)
    where = f"{path}.pluginConfig[InterPodAffinity].hardPodAffinityWeight"
    require(0 <= found.hard_pod_affinity_weight <= 100, where, "must be in the range 0-100")
    return InterPodArgs(found.hard_pod_affinity_weight, found.ignore_preferred_terms_of_existing_pods)


def _preemption(args: Mapping[str, Any], path: str) -> PreemptionArgs:
    found = _args(args, PREEMPTION, _PreemptionArgs, path)
    where = f"{path}.pluginConfig[{PREEMPTION}]"
    percent, least = found.min_candidate_nodes_percentage, found.min_candidate_nodes_absolute
    require(0 <= percent <= 100, f"{where}.minCandidateNodesPercentage", "must be in the range 0-100")
    require(least >= 0, f"{where}.minCandidateNodesAbsolute", "must not be negative")
    require(percent > 0 or least > 0, where, "one of the candidate limits must be greater than 0")
    return PreemptionArgs(percent, least)


def _spread_defaults(found: _SpreadArgs, path: str) -> tuple[Default, ...]:
    where = f"{path}.pluginConfig[PodTopologySpread]"
    require(found.defaulting_type in ("System", "List"), f"{where}.defaultingType", "must be System or List")
    if found.defaulting_type == "System":
        require(not found.default_constraints, f"{where}.defaultConstraints", "must be empty with type System")
        return SYSTEM_DEFAULTS
    return tuple(
        Default(each.topology_key, each.max_skew, each.when_unsatisfiable) for each in found.default_constraints
    )


def _args(args: Mapping[str, Any], name: str, kind: type[T], path: str) -> T:
    return _convert(args.get(name, {}), kind, f"{path}.pluginConfig[{name}]")


def _convert(value: Any, kind: type[T], path: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as wrong:
        raise ConfigError(f"{path}: {wrong}" if path else str(wrong)) from wrong


def _known(name: str, outside: Outside, path: str) -> None:
    names = [*KNOWN, *outside.filters, *outside.scores]
    if name in names:
        return
    near = difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(f"{path}: there is no plugin {name}{hint}")
