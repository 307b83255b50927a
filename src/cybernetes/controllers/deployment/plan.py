"""The next step of a Deployment.

source  Kubernetes documentation "Deployments"
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cybernetes.controllers.deployment import revision
from cybernetes.controllers.objects import Deployment, ReplicaSet
from cybernetes.controllers.percent import share

_QUARTER = "25%"


class Create(msgspec.Struct, frozen=True):
    replicas: int
    annotations: dict[str, str]


class Scale(msgspec.Struct, frozen=True):
    """Also writes what the ReplicaSet remembers of the Deployment's size."""

    replica_set: ReplicaSet
    replicas: int
    desired: int
    maximum: int


class Annotate(msgspec.Struct, frozen=True):
    """The new ReplicaSet takes over annotations, its revision, and minReadySeconds."""

    replica_set: ReplicaSet
    annotations: dict[str, str]
    min_ready_seconds: int


class Delete(msgspec.Struct, frozen=True):
    replica_set: ReplicaSet


Action = Create | Scale | Annotate | Delete


class Sets(msgspec.Struct, frozen=True):
    """A Deployment's ReplicaSets; `old` by age, the oldest first. new: the one with its template, or None."""

    new: ReplicaSet | None
    old: list[ReplicaSet]

    @property
    def all(self) -> list[ReplicaSet]:
        return [*self.old, self.new] if self.new else self.old

    @property
    def active(self) -> list[ReplicaSet]:
        return [each for each in self.all if each.spec.replicas > 0]

    @property
    def active_old(self) -> list[ReplicaSet]:
        return [each for each in self.old if each.spec.replicas > 0]


class Limits(msgspec.Struct, frozen=True):
    """surge: pods above the wanted number; unavailable: below it."""

    surge: int
    unavailable: int


def sort_sets(deployment: Deployment, owned: Sequence[ReplicaSet]) -> Sets:
    """Of several ReplicaSets with the template the oldest is the new one."""
    by_age = sorted(owned, key=_age)
    template = deployment.spec.template
    new = next((each for each in by_age if revision.same_template(each.spec.template, template)), None)
    return Sets(new, [each for each in by_age if each is not new])


def _age(replica_set: ReplicaSet) -> tuple[str, str]:
    return replica_set.metadata.creation_timestamp, replica_set.metadata.name


def limits(deployment: Deployment) -> Limits:
    spec = deployment.spec
    if spec.strategy.type == "Recreate":
        return Limits(0, 0)
    rolling = spec.strategy.rolling_update
    surge = rolling.max_surge if rolling and rolling.max_surge is not None else _QUARTER
    unavailable = rolling.max_unavailable if rolling and rolling.max_unavailable is not None else _QUARTER
    most = share(surge, spec.replicas, round_up=True)
    missing = share(unavailable, spec.replicas, round_up=False)
    # Both zero, which percentages of a small number can be, would never move.
    if most == 0 and missing == 0:
        missing = 1
    return Limits(most, min(missing, spec.replicas))


def plan(deployment: Deployment, sets: Sets, *, old_pods: bool, complete: bool) -> list[Action]:
    """old_pods: pods of former templates have not ended yet; complete: the status would say that all is done."""
    if deployment.metadata.deletion_timestamp or deployment.spec.selector.empty:
        return []
    if sets.new is not None and (annotate := _annotate(deployment, sets)):
        return [annotate]
    if deployment.spec.paused:
        return _scale(deployment, sets) or cleanup(deployment, sets)
    if _was_scaled(deployment, sets):
        return _scale(deployment, sets)
    if deployment.spec.strategy.type == "Recreate":
        step = _recreate(deployment, sets, old_pods)
    else:
        step = _roll(deployment, sets)
    return step or (cleanup(deployment, sets) if complete else [])


def _annotate(deployment: Deployment, sets: Sets) -> Annotate | None:
    new = sets.new
    assert new is not None
    old = new.metadata.annotations
    wanted = revision.set_annotations(deployment, old, revision.latest(sets.old) + 1, None)
    if wanted == old and new.spec.min_ready_seconds == deployment.spec.min_ready_seconds:
        return None
    return Annotate(new, wanted, deployment.spec.min_ready_seconds)


def _create(deployment: Deployment, sets: Sets, replicas: int) -> list[Action]:
    sizes = (deployment.spec.replicas, deployment.spec.replicas + limits(deployment).surge)
    annotations = revision.set_annotations(deployment, {}, revision.latest(sets.old) + 1, sizes)
    return [Create(replicas, annotations)]


def _to(deployment: Deployment, replica_set: ReplicaSet, replicas: int) -> list[Action]:
    """Scale one ReplicaSet; nothing when it has this size and remembers this Deployment's."""
    desired = deployment.spec.replicas
    maximum = desired + limits(deployment).surge
    known = replica_set.metadata.annotations
    if (
        replica_set.spec.replicas == replicas
        and known.get(revision.DESIRED) == str(desired)
        and known.get(revision.MAX) == str(maximum)
    ):
        return []
    return [Scale(replica_set, replicas, desired, maximum)]


def _recreate(deployment: Deployment, sets: Sets, old_pods: bool) -> list[Action]:
    if sets.active_old:
        return [action for each in sets.active_old for action in _to(deployment, each, 0)]
    if old_pods:
        return []
    if sets.new is None:
        return _create(deployment, sets, deployment.spec.replicas)
    if sets.new.spec.replicas == deployment.spec.replicas:
        return []
    return _to(deployment, sets.new, deployment.spec.replicas)


def _roll(deployment: Deployment, sets: Sets) -> list[Action]:
    if sets.new is None:
        return _create(deployment, sets, _room(deployment, sets, 0))
    size = sets.new.spec.replicas
    if size > deployment.spec.replicas:
        return _to(deployment, sets.new, deployment.spec.replicas)
    if room := _room(deployment, sets, size):
        return _to(deployment, sets.new, size + room)
    return _shrink_old(deployment, sets)


def _room(deployment: Deployment, sets: Sets, size: int) -> int:
    """Pods by which the new ReplicaSet, now of `size`, may grow."""
    free = deployment.spec.replicas + limits(deployment).surge - _replicas(sets.all)
    return max(0, min(free, deployment.spec.replicas - size))


def _shrink_old(deployment: Deployment, sets: Sets) -> list[Action]:
    new = sets.new
    assert new is not None
    minimum = deployment.spec.replicas - limits(deployment).unavailable
    new_unavailable = new.spec.replicas - new.status.available_replicas
    budget = _replicas(sets.all) - minimum - new_unavailable
    if budget <= 0:
        return []
    sizes = {each.metadata.name: each.spec.replicas for each in sets.active_old}
    _drop_unhealthy(sets.active_old, sizes, budget)
    # A status may lag behind a size that was just made smaller, and those pods serve nobody for long.
    spare = sum(min(each.status.available_replicas, each.spec.replicas) for each in sets.all) - minimum
    _drop_available(sets.active_old, sizes, spare)
    changed = [each for each in sets.active_old if sizes[each.metadata.name] != each.spec.replicas]
    return [action for each in changed for action in _to(deployment, each, sizes[each.metadata.name])]


def _drop_unhealthy(old: Sequence[ReplicaSet], sizes: dict[str, int], budget: int) -> None:
    """Replicas that are not available serve nobody: they go first."""
    for each in old:
        drop = max(0, min(budget, each.spec.replicas - each.status.available_replicas))
        sizes[each.metadata.name] -= drop
        budget -= drop


def _drop_available(old: Sequence[ReplicaSet], sizes: dict[str, int], spare: int) -> None:
    for each in old:
        drop = max(0, min(spare, sizes[each.metadata.name]))
        sizes[each.metadata.name] -= drop
        spare -= drop


def _was_scaled(deployment: Deployment, sets: Sets) -> bool:
    """Whether the Deployment's size is another than the one its ReplicaSets were last sized for."""
    known = [revision.number(each.metadata.annotations, revision.DESIRED) for each in sets.active]
    return any(each is not None and each != deployment.spec.replicas for each in known)


def _scale(deployment: Deployment, sets: Sets) -> list[Action]:
    only = _only_one(sets)
    if only is not None:
        return _to(deployment, only, deployment.spec.replicas)
    if not sets.active:
        return []
    if _saturated(deployment, sets.new):
        return [action for each in sets.active_old for action in _to(deployment, each, 0)]
    if deployment.spec.strategy.type == "Recreate":
        return []
    return _scale_in_proportion(deployment, sets)


def _only_one(sets: Sets) -> ReplicaSet | None:
    """The one active ReplicaSet, or with none active the one that would be; None when several are."""
    if len(sets.active) > 1:
        return None
    if sets.active:
        return sets.active[0]
    return sets.new or (sets.old[-1] if sets.old else None)


def _saturated(deployment: Deployment, new: ReplicaSet | None) -> bool:
    if new is None:
        return False
    wanted = deployment.spec.replicas
    desired = revision.number(new.metadata.annotations, revision.DESIRED)
    return wanted == desired == new.spec.replicas == new.status.available_replicas


def _scale_in_proportion(deployment: Deployment, sets: Sets) -> list[Action]:
    """Spread the change over all active ReplicaSets by their share, so that a rollout under way keeps its balance."""
    wanted = deployment.spec.replicas
    allowed = wanted + limits(deployment).surge if wanted else 0
    change = allowed - _replicas(sets.active)
    # By size, the biggest first; of equal ones the newer first to grow, the older first to shrink.
    by_age = sorted(sets.active, key=_age, reverse=change > 0)
    ordered = sorted(by_age, key=lambda each: -each.spec.replicas)
    sizes, added = {}, 0
    for each in ordered:
        part = _part(deployment, each, change - added)
        sizes[each.metadata.name] = each.spec.replicas + part
        added += part
    biggest = ordered[0].metadata.name
    sizes[biggest] = max(0, sizes[biggest] + change - added)
    return [action for each in ordered for action in _to(deployment, each, sizes[each.metadata.name])]


def _part(deployment: Deployment, replica_set: ReplicaSet, left: int) -> int:
    """Of `left` pods to add (or, below zero, to remove), this ReplicaSet's."""
    if left == 0:
        return 0
    size = replica_set.spec.replicas
    if deployment.spec.replicas == 0:
        return max(-size, left)
    before = revision.number(replica_set.metadata.annotations, revision.MAX) or deployment.status.replicas or 1
    now = deployment.spec.replicas + limits(deployment).surge
    part = _round(size * now, before) - size
    return min(part, left) if left > 0 else max(part, left)


def _round(numerator: int, denominator: int) -> int:
    """The nearest whole number; a half rounds up."""
    return (2 * numerator + denominator) // (2 * denominator)


def cleanup(deployment: Deployment, sets: Sets) -> list[Action]:
    """Delete what the history limit leaves no room for: empty old ReplicaSets, the oldest revisions first."""
    idle = [each for each in sets.old if not each.metadata.deletion_timestamp]
    surplus = len(idle) - deployment.spec.revision_history_limit
    ordered = sorted(idle, key=lambda each: (revision.latest([each]), _age(each)))
    return [Delete(each) for each in ordered[: max(0, surplus)] if _is_empty(each)]


def _is_empty(replica_set: ReplicaSet) -> bool:
    status = replica_set.status
    observed = replica_set.metadata.generation <= status.observed_generation
    return status.replicas == 0 and replica_set.spec.replicas == 0 and observed


def _replicas(sets: Sequence[ReplicaSet]) -> int:
    return sum(each.spec.replicas for each in sets)
