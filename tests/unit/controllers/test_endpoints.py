"""EndpointSlices, Endpoints and mirrored slices."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
import virtual
from hypothesis import given, settings
from hypothesis import strategies as st
from world import World, pod, view_of

from cybernetes.controllers.endpoints.loop import EndpointsController
from cybernetes.controllers.endpointslice import endpoints, plan
from cybernetes.controllers.endpointslice.loop import EndpointSliceController
from cybernetes.controllers.endpointslice.objects import Endpoint, Port, Slice
from cybernetes.controllers.mirroring.loop import MirroringController
from cybernetes.controllers.objects import Meta, Node, Pod, Service

Object = dict[str, Any]
HTTP = (Port(name="http", port=80),)


def ends(*numbers: int) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(addresses=(f"10.0.{n // 250}.{n % 250}",)) for n in numbers)


def slice_of(name: str, endpoints: tuple[Endpoint, ...], ports: tuple[Port, ...] = HTTP) -> Slice:
    return Slice(metadata=Meta(name=name, uid=name), endpoints=endpoints, ports=ports)


def reconcile(desired: dict[Any, Any], existing: list[Slice], size_max: int = 4) -> list[plan.Action]:
    return plan.reconcile("IPv4", desired, existing, size_max=size_max, metadata_differs={})


def apply(existing: list[Slice], actions: list[plan.Action]) -> list[Slice]:
    by_name = {each.metadata.name: each for each in existing}
    for n, action in enumerate(actions):
        match action:
            case plan.Create(_, ports, found):
                name = f"slice-{len(by_name)}-{n}-{sorted(by_name)}"
                by_name[name] = slice_of(name, found, ports)
            case plan.Update(old, ports, found):
                by_name[old.metadata.name] = slice_of(old.metadata.name, found, ports)
            case plan.Delete(old):
                del by_name[old.metadata.name]
    return list(by_name.values())


def test_nothing_to_list_leaves_one_empty_slice() -> None:
    assert reconcile({}, []) == [plan.Create("IPv4", (), ())]
    empty = slice_of("s", (), ())
    assert reconcile({}, [empty]) == []
    full = slice_of("s", ends(1))
    assert reconcile({}, [full]) == [plan.Update(full, (), ())]
    other = slice_of("t", ends(2))
    assert reconcile({}, [full, other]) == [plan.Update(full, (), ()), plan.Delete(other)]


def test_the_placeholder_is_reused() -> None:
    empty = slice_of("s", (), ())
    assert reconcile({HTTP: ends(1, 2)}, [empty]) == [plan.Update(empty, HTTP, ends(1, 2))]


def test_a_new_endpoint_goes_into_the_fullest_slice_with_room() -> None:
    small, big, full = slice_of("a", ends(1)), slice_of("b", ends(2, 3)), slice_of("c", ends(4, 5, 6, 7))
    actions = reconcile({HTTP: ends(1, 2, 3, 4, 5, 6, 7, 8)}, [small, big, full])
    assert actions == [plan.Update(big, HTTP, ends(2, 3, 8))]


def test_one_swap_writes_one_slice() -> None:
    a, b = slice_of("a", ends(1, 2, 3, 4)), slice_of("b", ends(5))
    assert reconcile({HTTP: ends(1, 2, 4, 5, 9)}, [a, b]) == [plan.Update(a, HTTP, ends(1, 2, 4, 9))]


def test_a_big_service_gets_full_slices_and_a_rest() -> None:
    actions = reconcile({HTTP: ends(*range(10))}, [])
    assert [len(each.endpoints) for each in actions if isinstance(each, plan.Create)] == [4, 4, 2]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 40), max_size=30), min_size=1, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_any_history_ends_with_exactly_the_wanted_endpoints(history: list[set[int]], named: list[bool]) -> None:
    slices: list[Slice] = []
    other = (Port(name="http", port=8080),)
    for wanted, split in zip(history, named, strict=False):
        ordered = sorted(wanted)
        desired = {
            HTTP: ends(*(n for n in ordered if not split or n % 2)),
            other: ends(*(n for n in ordered if split and not n % 2)),
        }
        desired = {ports: found for ports, found in desired.items() if found}
        slices = apply(slices, reconcile(desired, slices))
        listed = sorted((each.port_set, e.addresses[0]) for each in slices for e in each.listed)
        assert listed == sorted((ports, e.addresses[0]) for ports, found in desired.items() for e in found)
        assert all(len(each.listed) <= 4 for each in slices) and slices
        assert reconcile(desired, slices) == []


def service(name: str = "web", **spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "labels": {"team": "shop"}},
        "spec": {"selector": {"app": "web"}, "ports": ports, "clusterIP": "10.96.0.9", "ipFamilies": ["IPv4"], **spec},
    }


def web(name: str, port: int = 8080, **labels: str) -> Object:
    found = pod(name, app="web", **labels)
    found["spec"]["containers"] = [
        {"name": "app", "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}]}
    ]
    return found


@pytest.mark.parametrize(
    ("change", "ready", "wanted"),
    [
        ({}, True, (True, True, False)),
        ({}, False, (False, False, False)),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, True, (False, True, True)),
    ],
)
def test_conditions_of_an_endpoint(change: Object, ready: bool, wanted: tuple[bool, bool, bool]) -> None:
    found = web("a")
    found["metadata"].update(change)
    found["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    endpoint = endpoints.endpoint_of(view_of(service(), Service), view_of(found, Pod), "10.0.0.1", None)
    conditions = endpoint.conditions
    assert (conditions.ready, conditions.serving, conditions.terminating) == wanted
    tolerant = view_of(service(publishNotReadyAddresses=True), Service)
    assert endpoints.endpoint_of(tolerant, view_of(found, Pod), "10.0.0.1", None).conditions.ready is True


@pytest.mark.parametrize(
    ("preference", "hints"),
    [
        (None, None),
        ("PreferClose", {"forZones": [{"name": "z1"}]}),
        ("PreferSameNode", {"forZones": [{"name": "z1"}], "forNodes": [{"name": "n1"}]}),
    ],
)
def test_hints_follow_the_preference(preference: str | None, hints: Any) -> None:
    found = web("a")
    found["spec"]["nodeName"] = "n1"
    found["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    node = view_of({"metadata": {"name": "n1", "labels": {endpoints.ZONE_LABEL: "z1"}}}, Node)
    wanting = view_of(service(trafficDistribution=preference), Service)
    endpoint = endpoints.endpoint_of(wanting, view_of(found, Pod), "10.0.0.1", node)
    assert orjson.loads(msgspec.json.encode(endpoint.hints)) == hints
    assert endpoint.zone == "z1"


def listed(w: World) -> dict[int, list[str]]:
    """Port -> names of pods, over all slices."""
    found: dict[int, list[str]] = {}
    for each in w.api.all("endpointslices"):
        for port in each.get("ports") or [{"port": 0}]:
            names = [e["targetRef"]["name"] for e in each["endpoints"] if e["conditions"]["ready"]]
            found.setdefault(port["port"], []).extend(sorted(names))
    return found


def test_slices_and_endpoints_follow_pods() -> None:
    async def main() -> None:
        w = World(EndpointSliceController, EndpointsController)
        w.api.put("services", service())
        async with w.running():
            await w.settle()
            [placeholder] = w.api.all("endpointslices")
            assert placeholder["endpoints"] == [] and placeholder["ports"] == []
            assert placeholder["metadata"]["name"].startswith("web-")
            assert placeholder["metadata"]["labels"] == {
                "team": "shop",
                "kubernetes.io/service-name": "web",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            }
            assert w.api.all("endpoints")[0]["subsets"] == []
            for name, port in (("a", 8080), ("b", 8080), ("c", 9090)):
                w.api.put("pods", web(name, port))
            w.api.put("pods", pod("stranger", app="other"))
            await w.settle()
            assert listed(w) == {8080: ["a", "b"], 9090: ["c"]}
            [both] = w.api.all("endpoints")
            assert [[a["targetRef"]["name"] for a in s["addresses"]] for s in both["subsets"]] == [["a", "b"], ["c"]]
            assert both["subsets"][0]["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
            w.api.edit("pods", "a", lambda p: p["status"]["conditions"][0].update(status="False"))
            await w.settle()
            assert listed(w)[8080] == ["b"]
            [both] = w.api.all("endpoints")
            assert [a["targetRef"]["name"] for a in both["subsets"][0]["notReadyAddresses"]] == ["a"]
            w.api.edit("pods", "b", lambda p: p["metadata"].update(labels={"app": "elsewhere"}))
            w.api.remove("pods", "c")
            await w.settle()
            assert not any(listed(w).values())
            w.api.remove("services", "web")
            await w.settle()
            assert w.api.all("endpoints") == []

    virtual.run(main())


def test_a_service_that_is_another_name_has_no_endpoints() -> None:
    async def main() -> None:
        w = World(EndpointSliceController, EndpointsController)
        w.api.put("services", service(type="ExternalName", externalName="a.example.com"))
        w.api.put("pods", web("a"))
        async with w.running():
            await w.settle()
            assert w.api.all("endpointslices") == w.api.all("endpoints") == []
            w.api.edit("services", "web", lambda s: s["spec"].update(type="ClusterIP"))
            await w.settle()
            assert len(w.api.all("endpointslices")) == len(w.api.all("endpoints")) == 1

    virtual.run(main())


def test_a_service_of_two_families_has_slices_of_both_and_endpoints_of_the_first() -> None:
    def give_addresses(of: Object) -> None:
        n = int(of["metadata"]["name"][1:])
        of["status"]["podIPs"] = [{"ip": f"10.244.0.{n}"}, {"ip": f"fd00:10:244::{n}"}]

    def addresses(w: World) -> dict[str, list[str]]:
        return {
            each["addressType"]: sorted(a for e in each["endpoints"] for a in e["addresses"])
            for each in w.api.all("endpointslices")
        }

    async def main() -> None:
        w = World(EndpointSliceController, EndpointsController)
        w.api.put("services", service(ipFamilies=["IPv6", "IPv4"], clusterIP="fd00:10:96::9"))
        for name in ("p1", "p2"):
            w.api.put("pods", web(name))
        async with w.running():
            await w.settle()
            for name in ("p1", "p2"):
                w.api.edit("pods", name, give_addresses)
            await w.settle()
            assert addresses(w) == {
                "IPv4": ["10.244.0.1", "10.244.0.2"],
                "IPv6": ["fd00:10:244::1", "fd00:10:244::2"],
            }
            [old] = w.api.all("endpoints")
            assert [a["ip"] for a in old["subsets"][0]["addresses"]] == ["fd00:10:244::1", "fd00:10:244::2"]
            w.api.edit("services", "web", lambda s: s["spec"].update(ipFamilies=["IPv6"]))
            await w.settle()
            assert addresses(w) == {"IPv6": ["fd00:10:244::1", "fd00:10:244::2"]}

    virtual.run(main())


def test_a_burst_of_changes_is_written_in_few_strokes_and_a_lone_one_at_once() -> None:
    async def main() -> None:
        w = World(EndpointSliceController, EndpointsController)
        w.kubelet_on = False
        w.api.put("services", service())

        def writes(plural: str) -> int:
            return sum(method in ("PUT", "POST") and f"/{plural}" in path for method, path in w.api.requests)

        async with w.running():
            await w.settle()
            before = writes("endpointslices"), writes("endpoints") - writes("endpointslices")
            for n in range(60):
                w.api.put("pods", web(f"p{n:02d}"))
                w.api.edit("pods", f"p{n:02d}", w.run_pod)
                await w.settle(1 / 60)
            await w.settle()
            slices = writes("endpointslices") - before[0]
            assert 3 <= slices <= 8 and len(listed(w)[8080]) == 60
            assert writes("endpoints") - writes("endpointslices") - before[1] <= 4
            w.api.remove("pods", "p07")
            await w.settle(0.1)
            assert len(listed(w)[8080]) == 59

    virtual.run(main())


def test_a_slice_is_not_written_on_a_version_that_an_unseen_write_replaced() -> None:
    async def main() -> None:
        w = World(EndpointSliceController)
        w.kubelet_on = False
        w.api.late["endpointslices"] = 3.0
        w.api.put("services", service())
        async with w.running():
            await w.settle(10)
            for name in ("a", "b", "c"):
                w.api.put("pods", web(name))
                w.api.edit("pods", name, w.run_pod)
                await w.settle(1.5)
            await w.settle(30)
            assert listed(w)[8080] == ["a", "b", "c"]
            assert [each["reason"] for each in w.api.all("events")] == []

    virtual.run(main())


def test_quiet_pod_updates_cost_no_write() -> None:
    async def main() -> None:
        w = World(EndpointSliceController, EndpointsController)
        w.api.put("services", service())
        w.api.put("pods", web("a"))
        async with w.running():
            await w.settle()
            before = len([r for r in w.api.requests if r[0] in ("PUT", "POST")])
            w.api.edit("pods", "a", lambda p: p["metadata"].update(annotations={"x": "y"}))
            w.api.edit("pods", "a", lambda p: p["status"].update(startTime="2026-01-01T00:00:00Z"))
            await w.settle()
            assert len([r for r in w.api.requests if r[0] in ("PUT", "POST")]) == before

    virtual.run(main())


def test_a_service_without_a_selector_keeps_its_endpoints_and_they_are_mirrored() -> None:
    async def main() -> None:
        w = World(EndpointSliceController, EndpointsController, MirroringController)
        plain = service("db")
        del plain["spec"]["selector"]
        mine = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": "db", "namespace": "default", "labels": {"tier": "data"}},
            "subsets": [
                {
                    "addresses": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}],
                    "ports": [{"port": 5432, "protocol": "TCP"}],
                }
            ],
        }
        w.api.put("services", plain)
        w.api.put("endpoints", mine)
        async with w.running():
            await w.settle()
            slices = {each["addressType"]: each for each in w.api.all("endpointslices")}
            assert slices["IPv4"]["endpoints"] == [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}]
            assert slices["IPv6"]["endpoints"][0]["addresses"] == ["2001:db8::1"]
            assert slices["IPv4"]["ports"] == [{"name": "", "port": 5432, "protocol": "TCP"}]
            assert slices["IPv4"]["metadata"]["labels"]["tier"] == "data"
            assert w.api.all("endpoints")[0]["subsets"] == mine["subsets"]
            addresses = [{"ip": f"192.0.{n // 250 + 3}.{n % 250}"} for n in range(1100)]
            w.api.edit("endpoints", "db", lambda e: e["subsets"][0].update(notReadyAddresses=addresses))
            await w.settle()
            listed = [each for each in w.api.all("endpointslices") if each["addressType"] == "IPv4"]
            assert sum(len(each["endpoints"]) for each in listed) == 999
            assert [each["message"] for each in w.api.all("events")] == [
                "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 102 addresses were skipped"
            ]
            w.api.edit("endpoints", "db", lambda e: e["subsets"][0].pop("notReadyAddresses"))
            await w.settle()
            w.api.edit("endpoints", "db", lambda e: e["subsets"][0]["addresses"].pop())
            await w.settle()
            assert [each["addressType"] for each in w.api.all("endpointslices")] == ["IPv4"]
            w.api.edit(
                "endpoints",
                "db",
                lambda e: e["metadata"]["labels"].update({"endpointslice.kubernetes.io/skip-mirror": "true"}),
            )
            await w.settle()
            assert w.api.all("endpointslices") == []

    virtual.run(main())
