"""Which devices claims get, on which nodes, and the words where they get none."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from memory_api import node, pod

from cybernetes.base.random import SeededRandom
from cybernetes.client.target import RESOURCE_CLAIMS
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.devices.filters import DeviceFilter, Grant
from cybernetes.scheduler.devices.state import CLASSES, KINDS, SLICES, Devices
from cybernetes.scheduler.devices.write import promise_devices
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.outcome import Placement, Unschedulable
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.profile import Profile

DRIVER = "gpu.example.com"
STRUCTS = dict(KINDS)
INTERNER = Interner()


def device(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "attributes": {}, **more}


def piece(name: str, devices: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    pool = {"name": spec.pop("pool", name), "generation": 1, "resourceSliceCount": 1, **spec.pop("of", {})}
    where = spec or {"nodeName": name}
    return {"metadata": {"name": name}, "spec": {"driver": DRIVER, "pool": pool, "devices": devices, **where}}


def ask(name: str = "gpu", *selectors: str, **more: Any) -> dict[str, Any]:
    exactly = {"deviceClassName": "gpu", "selectors": [{"cel": {"expression": each}} for each in selectors], **more}
    return {"name": name, "exactly": exactly}


def claim(name: str, *requests: dict[str, Any], **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}"}
    status = more.pop("status", {})
    return {"metadata": metadata, "spec": {"devices": {"requests": list(requests), **more}}, "status": status}


class World:
    def __init__(self, *slices: dict[str, Any], nodes: tuple[str, ...] = ("a", "b"), **of_class: Any) -> None:
        self.columns, self.devices = Columns(), Devices()
        for name in nodes:
            self.columns.put_node(msgspec.json.decode(json.dumps(node(name)).encode(), type=NodeObject))
        for each in slices:
            self.put(SLICES, each)
        self.put(CLASSES, {"metadata": {"name": "gpu"}, "spec": of_class})
        self.cycle = Cycle(self.columns, Profile(), Nominations(), lambda pod: None, None, DeviceFilter(self.devices))

    def put(self, target: Any, obj: dict[str, Any]) -> None:
        meta = obj["metadata"]
        key = f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else meta["name"]
        self.devices.change(target, key, msgspec.json.decode(json.dumps(obj).encode(), type=STRUCTS[target]))

    def entry(self, name: str, *claims: dict[str, Any]) -> PodEntry:
        for each in claims:
            self.put(RESOURCE_CLAIMS, each)
        used = [{"name": each["metadata"]["name"], "resourceClaimName": each["metadata"]["name"]} for each in claims]
        manifest = pod(name, resourceClaims=used)
        return INTERNER.entry(msgspec.json.decode(json.dumps(manifest).encode(), type=PodObject))

    def place(self, name: str, *claims: dict[str, Any]) -> tuple[str, Grant]:
        """The node, and the devices of a pod that is placed there."""
        asked = self.entry(name, *claims)
        decision = self.cycle.decide(asked, SeededRandom(1))
        assert isinstance(decision, Placement), decision
        grant = self.cycle.device_grant(asked, decision.node)
        promise_devices(self.devices, asked, grant)
        return decision.node, grant

    def refusal(self, name: str, *claims: dict[str, Any]) -> str:
        decision = self.cycle.decide(self.entry(name, *claims), SeededRandom(1))
        assert isinstance(decision, Unschedulable), decision
        return decision.message


def names(grant: Grant) -> list[tuple[str, str]]:
    """(request, device) of all claims."""
    return [
        (each.request, each.device) for _, allocation in grant.allocations for each in allocation.devices.results or ()
    ]


def test_only_a_node_with_a_free_device_will_do_and_no_device_is_given_twice() -> None:
    world = World(piece("b", [device("gpu-0"), device("gpu-1")]))
    node_name, grant = world.place("first", claim("c1", ask()))
    assert (node_name, names(grant)) == ("b", [("gpu", "gpu-0")])
    selector = grant.allocations[0][1].node_selector
    assert selector is not None
    assert msgspec.to_builtins(selector) == {
        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}]
    }
    assert names(world.place("second", claim("c2", ask()))[1]) == [("gpu", "gpu-1")]
    assert world.refusal("third", claim("c3", ask())) == "0/2 nodes are available: 2 cannot allocate all claims."


def test_devices_of_a_claim_that_is_allocated_are_taken_and_pods_can_share_it() -> None:
    world = World(piece("a", [device("gpu-0")]))
    _, grant = world.place("first", claim("c1", ask()))
    allocation = msgspec.to_builtins(grant.allocations[0][1])
    done = claim("c1", ask(), status={"allocation": allocation, "reservedFor": [{"uid": "uid-first", "name": "first"}]})
    world.put(RESOURCE_CLAIMS, done)
    assert not world.devices.promised
    node_name, shared = world.place("second", done)
    assert (node_name, [each.metadata.name for each in shared.shared], names(shared)) == ("a", ["c1"], [])
    assert "cannot allocate all claims" in world.refusal("third", claim("c2", ask()))
    world.columns.remove_node("a")
    assert "1 resourceclaim not available on the node" in world.refusal("fourth", done)


def test_selectors_of_class_and_request_are_expressions_over_the_device() -> None:
    small = device("small", attributes={"model": {"string": "x1"}}, capacity={"memory": {"value": "8Gi"}})
    large = device("large", attributes={"model": {"string": "x1"}}, capacity={"memory": {"value": "80Gi"}})
    other = device("other", attributes={"model": {"string": "y"}}, capacity={"memory": {"value": "80Gi"}})
    of_class = [{"cel": {"expression": f'device.driver == "{DRIVER}"'}}]
    world = World(piece("a", [small, other, large]), selectors=of_class)
    model = f'device.attributes["{DRIVER}"].model == "x1"'
    memory = f'device.capacity["{DRIVER}"].memory.compareTo(quantity("10Gi")) > 0'
    assert names(world.place("p", claim("c", ask("gpu", model, memory)))[1]) == [("gpu", "large")]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("device.", "claim shop/c: selector #0: CEL compile error:"),
        ('device.attributes["none.example"].x == 1', "claim shop/c: selector #0: CEL runtime error:"),
    ],
)
def test_an_expression_that_fails_is_named(expression: str, words: str) -> None:
    world = World(piece("a", [device("gpu-0")]), nodes=("a",))
    assert words in world.refusal("p", claim("c", ask("gpu", expression)))


def test_counts_all_and_what_there_is_not_enough_of() -> None:
    world = World(piece("a", [device(f"gpu-{n}") for n in range(3)]), nodes=("a",))
    assert names(world.place("p", claim("c1", ask(count=2)))[1]) == [("gpu", "gpu-0"), ("gpu", "gpu-1")]
    # All means all that match: one of them is taken.
    assert "cannot allocate" in world.refusal("q", claim("c2", ask(allocationMode="All")))
    whole = World(piece("a", [device(f"gpu-{n}") for n in range(3)]), nodes=("a",))
    assert len(names(whole.place("p", claim("c", ask(allocationMode="All")))[1])) == 3
    assert "exceeds the claim limit of 32" in world.refusal("r", claim("c4", ask(count=33)))


def test_earlier_choices_are_taken_back_when_later_ones_need_them() -> None:
    plain, special = device("gpu-0"), device("gpu-1")
    special["attributes"] = {"fast": {"bool": True}}
    fast = f'"fast" in device.attributes["{DRIVER}"]'
    world = World(
        piece("a", [{**special, "name": "gpu-0"}, {**plain, "name": "gpu-1", "attributes": {"x": {"int": 1}}}])
    )
    found = world.place("p", claim("c", ask("any"), ask("fast", fast)))[1]
    assert names(found) == [("any", "gpu-1"), ("fast", "gpu-0")]


def test_an_attribute_must_be_the_same_or_differ_on_all() -> None:
    devices = [device(f"gpu-{n}", attributes={"numa": {"int": n // 2}}) for n in range(4)]
    taken = claim("c0", ask())
    world = World(piece("a", devices), nodes=("a",))
    world.place("p0", taken)
    same = {"requests": [], "matchAttribute": f"{DRIVER}/numa"}
    assert names(world.place("p1", claim("c1", ask(count=2), constraints=[same]))[1]) == [
        ("gpu", "gpu-2"),
        ("gpu", "gpu-3"),
    ]
    apart = {"distinctAttribute": f"{DRIVER}/numa"}
    fresh = World(piece("a", devices), nodes=("a",))
    assert names(fresh.place("p", claim("c", ask(count=2), constraints=[apart]))[1]) == [
        ("gpu", "gpu-0"),
        ("gpu", "gpu-2"),
    ]


def test_alternatives_are_tried_in_order_and_named_in_the_result() -> None:
    big = f'"big" in device.attributes["{DRIVER}"]'
    alternatives = [
        {"name": "big", "deviceClassName": "gpu", "selectors": [{"cel": {"expression": big}}]},
        {"name": "two", "deviceClassName": "gpu", "count": 2},
    ]
    config = [{"requests": ["gpu/big"], "opaque": {"driver": DRIVER}}, {"opaque": {"driver": DRIVER}}]
    asked = claim("c", {"name": "gpu", "firstAvailable": alternatives}, config=config)
    one = {"x": {"int": 1}}
    world = World(piece("a", [device("s0", attributes=one), device("s1", attributes=one)]), nodes=("a",))
    _, grant = world.place("p", asked)
    assert names(grant) == [("gpu/two", "s0"), ("gpu/two", "s1")]
    assert grant.allocations[0][1].devices.config == [{"source": "FromClaim", "opaque": {"driver": DRIVER}}]


def test_a_node_with_what_is_preferred_is_better() -> None:
    big = f'"big" in device.attributes["{DRIVER}"]'
    alternatives = [
        {"name": "big", "deviceClassName": "gpu", "selectors": [{"cel": {"expression": big}}]},
        {"name": "any", "deviceClassName": "gpu"},
    ]
    world = World(
        piece("a", [device("small", attributes={"x": {"int": 1}})]),
        piece("b", [device("large", attributes={"big": {"bool": True}})]),
    )
    node_name, grant = world.place("p", claim("c", {"name": "gpu", "firstAvailable": alternatives}))
    assert (node_name, names(grant)) == ("b", [("gpu/big", "large")])


def test_administrators_see_devices_that_are_in_use() -> None:
    world = World(piece("a", [device("gpu-0")]), nodes=("a",))
    world.place("p", claim("c1", ask()))
    _, grant = world.place("admin", claim("c2", ask(adminAccess=True)))
    assert names(grant) == [("gpu", "gpu-0")]
    assert grant.allocations[0][1].devices.results[0].admin_access is True  # type: ignore[index]


def test_taints_of_devices_must_be_tolerated() -> None:
    sick = device("gpu-0", taints=[{"key": "sick", "value": "yes", "effect": "NoSchedule"}])
    world = World(piece("a", [sick]), nodes=("a",))
    assert "cannot allocate" in world.refusal("p", claim("c1", ask()))
    tolerant = ask(tolerations=[{"key": "sick", "operator": "Exists"}])
    assert names(world.place("q", claim("c2", tolerant))[1]) == [("gpu", "gpu-0")]


def test_partitions_share_counters() -> None:
    def part(name: str, memory: str) -> dict[str, Any]:
        return device(name, consumesCounters=[{"counterSet": "card", "counters": {"memory": {"value": memory}}}])

    parts = [part("half-0", "20Gi"), part("half-1", "20Gi"), part("whole", "40Gi")]
    shared = [{"name": "card", "counters": {"memory": {"value": "40Gi"}}}]
    world = World(piece("a", parts, nodeName="a", sharedCounters=shared), nodes=("a",))
    assert names(world.place("p", claim("c1", ask()))[1]) == [("gpu", "half-0")]
    assert names(world.place("q", claim("c2", ask()))[1]) == [("gpu", "half-1")]
    assert "cannot allocate" in world.refusal("r", claim("c3", ask()))


def test_pools_that_are_being_changed_are_left_alone() -> None:
    world = World(piece("a", [device("gpu-0")], of={"resourceSliceCount": 2}, nodeName="a"), nodes=("a",))
    assert "cannot allocate" in world.refusal("p", claim("c1", ask()))
    words = "asks for all devices, but resource pool gpu.example.com/a is currently being updated"
    assert words in world.refusal("q", claim("c2", ask(allocationMode="All")))
    # An older generation does not count any more.
    newer = piece("a2", [device("new")], pool="a", of={"generation": 2}, nodeName="a")
    world.put(SLICES, newer)
    assert names(world.place("r", claim("c3", ask()))[1]) == [("gpu", "new")]
    twice = World(piece("a", [device("x"), device("x")]), nodes=("a",))
    assert "is currently invalid" in twice.refusal("s", claim("c4", ask(allocationMode="All")))


def test_slices_for_all_nodes_for_some_and_for_each_device() -> None:
    everywhere = World(piece("net", [device("nic")], allNodes=True), nodes=("a",))
    assert everywhere.place("p", claim("c", ask()))[1].allocations[0][1].node_selector is None
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["b"]}]}
    some = World(piece("net", [device("nic")], nodeSelector={"nodeSelectorTerms": [term]}))
    assert some.place("p", claim("c", ask()))[0] == "b"
    each = World(
        piece("net", [device("x", nodeName="b"), device("y", nodeName="a")], perDeviceNodeSelection=True), nodes=("a",)
    )
    assert names(each.place("p", claim("c", ask()))[1]) == [("gpu", "y")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, 'resourceclaim "c" is being deleted'),
        ({"namespace": "elsewhere"}, 'resourceclaim.resource.k8s.io "c" not found'),
    ],
)
def test_claims_that_can_not_be_used_are_named(changes: dict[str, Any], words: str) -> None:
    world = World(piece("a", [device("gpu-0")]), nodes=("a",))
    asked = claim("c", ask())
    asked["metadata"] |= changes
    assert world.refusal("p", asked) == f"0/1 nodes are available: {words}."


def test_a_claim_from_a_template_must_be_there_and_the_pods_own() -> None:
    world = World(piece("a", [device("gpu-0")]), nodes=("a",))
    manifest = pod("p", resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "t"}])

    def message() -> str:
        entry = INTERNER.entry(msgspec.json.decode(json.dumps(manifest).encode(), type=PodObject))
        decision = world.cycle.decide(entry, SeededRandom(1))
        return decision.message if isinstance(decision, Unschedulable) else decision.node

    assert 'waiting for dynamic resource controller to create the resourceclaim "gpu"' in message()
    manifest["status"]["resourceClaimStatuses"] = [{"name": "gpu", "resourceClaimName": "p-gpu-1"}]
    made = claim("p-gpu-1", ask())
    world.put(RESOURCE_CLAIMS, made)
    assert "was not created for Pod shop/p (Pod is not owner)" in message()
    made["metadata"]["ownerReferences"] = [{"kind": "Pod", "name": "p", "uid": "uid-p", "controller": True}]
    world.put(RESOURCE_CLAIMS, made)
    assert message() == "a"


def test_a_class_that_is_missing_and_a_claim_that_many_use() -> None:
    world = World(piece("a", [device("gpu-0")]), nodes=("a",))
    other = ask()
    other["exactly"]["deviceClassName"] = "tpu"
    assert "request gpu: device class tpu does not exist" in world.refusal("p", claim("c1", other))
    users = [{"uid": f"u{n}", "name": f"n{n}"} for n in range(256)]
    full = claim("c2", ask(), status={"allocation": {"devices": {"results": []}}, "reservedFor": users})
    assert "resourceclaim in use" in world.refusal("q", full)


def test_a_claim_that_another_pod_waits_for_is_not_allocated_again() -> None:
    world = World(piece("a", [device("gpu-0"), device("gpu-1")]), nodes=("a",))
    world.place("first", claim("c", ask()))
    assert "resource claim shop/c is in the process of being allocated" in world.refusal("second", claim("c", ask()))
    world.devices.change(RESOURCE_CLAIMS, "shop/c", None)
    assert not world.devices.promised
