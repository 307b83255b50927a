"""HorizontalPodAutoscalers (autoscaling/v2) as their controller sees them."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.controllers.objects import Condition, Meta, PodStatus, View
from cybernetes.model import selector


class TargetReference(View, frozen=True, gc=False):
    kind: str = ""
    name: str = ""
    api_version: str = ""


class MetricTarget(View, frozen=True, gc=False):
    type: str = ""
    average_utilization: int | None = None
    average_value: str | int | float | None = None
    value: str | int | float | None = None


class ResourceSource(View, frozen=True, gc=False):
    """container: "" for whole pods."""

    name: str = ""
    container: str = ""
    target: MetricTarget = MetricTarget()


class NamedSource(View, frozen=True, gc=False):
    """metric: name and selector, as the API has them. described_object: only of metrics of one object."""

    metric: dict[str, Any] = {}
    target: MetricTarget = MetricTarget()
    described_object: TargetReference = TargetReference()

    @property
    def name(self) -> str:
        return str(self.metric.get("name", ""))

    @property
    def selector(self) -> str:
        """Of the metric's own labels; "" for every label."""
        requirements = selector.from_object(self.metric.get("selector"))
        return selector.render(requirements) if requirements else ""


class Metric(View, frozen=True, gc=False):
    """type says which of the others is there."""

    type: str = ""
    resource: ResourceSource | None = None
    container_resource: ResourceSource | None = None
    pods: NamedSource | None = None
    object: NamedSource | None = None
    external: NamedSource | None = None


class Policy(View, frozen=True, gc=False):
    type: str
    value: int
    period_seconds: int


class Rules(View, frozen=True, gc=False):
    stabilization_window_seconds: int | None = None
    select_policy: str | None = None
    policies: tuple[Policy, ...] = ()
    tolerance: str | int | float | None = None


class Behavior(View, frozen=True, gc=False):
    scale_up: Rules | None = None
    scale_down: Rules | None = None


class AutoscalerSpec(View, frozen=True, gc=False):
    scale_target_ref: TargetReference = TargetReference()
    min_replicas: int = 1
    max_replicas: int = 1
    metrics: tuple[Metric, ...] = ()
    behavior: Behavior | None = None


class AutoscalerStatus(View, frozen=True, gc=False):
    observed_generation: int | None = None
    last_scale_time: str | None = None
    current_replicas: int = 0
    desired_replicas: int = 0
    current_metrics: msgspec.Raw = msgspec.Raw(b"[]")
    conditions: tuple[Condition, ...] = ()


class Autoscaler(View, frozen=True, gc=False):
    metadata: Meta
    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()


class Requests(View, frozen=True, gc=False):
    requests: dict[str, str | int | float] = {}


class MeasuredContainer(View, frozen=True, gc=False):
    name: str = ""
    restart_policy: str = ""
    resources: Requests = Requests()


class MeasuredSpec(View, frozen=True, gc=False):
    containers: tuple[MeasuredContainer, ...] = ()
    init_containers: tuple[MeasuredContainer, ...] = ()


class MeasuredPod(View, frozen=True, gc=False):
    """A pod with what its containers asked for."""

    metadata: Meta
    spec: MeasuredSpec = MeasuredSpec()
    status: PodStatus = PodStatus()


class Sample(msgspec.Struct, frozen=True):
    """What a pod used: nano units, measured over `window_s` until `at`."""

    used: int
    at: float
    window_s: float
