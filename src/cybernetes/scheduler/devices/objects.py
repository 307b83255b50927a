"""What is read of the objects of resource.k8s.io/v1."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.scheduler.objects import Metadata, NodeSelector, Slim, Toleration


class Expression(Slim):
    expression: str = ""


class DeviceSelector(Slim):
    cel: Expression | None = None


class Ask(Slim):
    """What one request, or one of its alternatives (then with a name), wants."""

    name: str = ""
    device_class_name: str = ""
    selectors: list[DeviceSelector] | None = None
    allocation_mode: str = "ExactCount"
    count: int = 1
    admin_access: bool = False
    tolerations: list[Toleration] | None = None
    capacity: dict[str, Any] | None = None


class Request(Slim):
    name: str = ""
    exactly: Ask | None = None
    first_available: list[Ask] | None = None


class Constraint(Slim):
    requests: list[str] | None = None
    match_attribute: str | None = None
    distinct_attribute: str | None = None


class Configuration(Slim):
    requests: list[str] | None = None
    opaque: dict[str, Any] | None = None


class ClaimDevices(Slim):
    requests: list[Request] | None = None
    constraints: list[Constraint] | None = None
    config: list[Configuration] | None = None


class ClaimSpec(Slim):
    devices: ClaimDevices = msgspec.field(default_factory=ClaimDevices)


class Result(Slim):
    request: str = ""
    driver: str = ""
    pool: str = ""
    device: str = ""
    admin_access: bool | None = None
    tolerations: list[Toleration] | None = None


class DeviceResults(Slim):
    results: list[Result] | None = None
    config: list[dict[str, Any]] | None = None


class Allocation(Slim):
    devices: DeviceResults = msgspec.field(default_factory=DeviceResults)
    node_selector: NodeSelector | None = None


class Consumer(Slim):
    resource: str = ""
    name: str = ""
    uid: str = ""


class ClaimStatus(Slim):
    allocation: Allocation | None = None
    reserved_for: list[Consumer] | None = None


class ClaimObject(Slim):
    metadata: Metadata
    spec: ClaimSpec = msgspec.field(default_factory=ClaimSpec)
    status: ClaimStatus = msgspec.field(default_factory=ClaimStatus)


class ClassConfiguration(Slim):
    opaque: dict[str, Any] | None = None


class ClassSpec(Slim):
    selectors: list[DeviceSelector] | None = None
    config: list[ClassConfiguration] | None = None


class ClassObject(Slim):
    metadata: Metadata
    spec: ClassSpec = msgspec.field(default_factory=ClassSpec)


class Attribute(Slim):
    int_value: int | None = msgspec.field(default=None, name="int")
    bool_value: bool | None = msgspec.field(default=None, name="bool")
    string: str | None = None
    version: str | None = None


class Counter(Slim):
    value: str | int | float = 0


class Consumption(Slim):
    counter_set: str = ""
    counters: dict[str, Counter] | None = None


class CounterSet(Slim):
    name: str = ""
    counters: dict[str, Counter] | None = None


class DeviceTaint(Slim):
    key: str = ""
    value: str = ""
    effect: str = ""


class Device(Slim):
    name: str = ""
    attributes: dict[str, Attribute] | None = None
    capacity: dict[str, Counter] | None = None
    consumes_counters: list[Consumption] | None = None
    node_name: str | None = None
    node_selector: NodeSelector | None = None
    all_nodes: bool | None = None
    taints: list[DeviceTaint] | None = None
    allow_multiple_allocations: bool | None = None


class Pool(Slim):
    name: str = ""
    generation: int = 0
    resource_slice_count: int = 0


class SliceSpec(Slim):
    driver: str = ""
    pool: Pool = msgspec.field(default_factory=Pool)
    node_name: str | None = None
    node_selector: NodeSelector | None = None
    all_nodes: bool | None = None
    per_device_node_selection: bool | None = None
    devices: list[Device] | None = None
    shared_counters: list[CounterSet] | None = None


class SliceObject(Slim):
    metadata: Metadata
    spec: SliceSpec = msgspec.field(default_factory=SliceSpec)
