"""DaemonSets as their controller sees them."""

from __future__ import annotations

import msgspec

from cybernetes.controllers.objects import EMPTY, Condition, Meta, Selector, UpdateStrategy, View


class DaemonSetSpec(View, frozen=True, gc=False):
    selector: Selector = Selector()
    template: msgspec.Raw = EMPTY
    min_ready_seconds: int = 0
    update_strategy: UpdateStrategy = UpdateStrategy()
    revision_history_limit: int = 10


class DaemonSetStatus(View, frozen=True, gc=False):
    current_number_scheduled: int = 0
    number_misscheduled: int = 0
    desired_number_scheduled: int = 0
    number_ready: int = 0
    observed_generation: int = 0
    updated_number_scheduled: int = 0
    number_available: int = 0
    number_unavailable: int = 0
    collision_count: int | None = None
    conditions: tuple[Condition, ...] = ()


class DaemonSet(View, frozen=True, gc=False):
    metadata: Meta
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()
