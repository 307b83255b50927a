"""StatefulSets as their controller sees them."""

from __future__ import annotations

import msgspec

from cybernetes.controllers.objects import EMPTY, Condition, Meta, Selector, UpdateStrategy, View


class Ordinals(View, frozen=True, gc=False):
    start: int = 0


class Retention(View, frozen=True, gc=False):
    when_deleted: str = "Retain"
    when_scaled: str = "Retain"


class StatefulSetSpec(View, frozen=True, gc=False):
    replicas: int = 1
    service_name: str = ""
    selector: Selector = Selector()
    template: msgspec.Raw = EMPTY
    volume_claim_templates: msgspec.Raw = msgspec.Raw(b"[]")
    pod_management_policy: str = "OrderedReady"
    update_strategy: UpdateStrategy = UpdateStrategy()
    min_ready_seconds: int = 0
    revision_history_limit: int = 10
    ordinals: Ordinals | None = None
    persistent_volume_claim_retention_policy: Retention | None = None

    @property
    def start(self) -> int:
        return self.ordinals.start if self.ordinals else 0

    @property
    def retention(self) -> Retention:
        return self.persistent_volume_claim_retention_policy or Retention()


class StatefulSetStatus(View, frozen=True, gc=False):
    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    current_replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""
    collision_count: int | None = None
    conditions: tuple[Condition, ...] = ()


class StatefulSet(View, frozen=True, gc=False):
    metadata: Meta
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


class Claim(View, frozen=True, gc=False):
    """A PersistentVolumeClaim, its metadata only."""

    metadata: Meta
