"""Endpoints that are shared out between zones in proportion to their nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import virtual
from world import World, pod, view_of

from cybernetes.controllers.endpointslice import hints
from cybernetes.controllers.endpointslice.loop import EndpointSliceController
from cybernetes.controllers.objects import Node

Object = dict[str, Any]


def node(name: str, zone: str, cpu: str = "4", ready: str = "True") -> Object:
    labels = {hints.ZONE_LABEL: zone} if zone else {}
    status = {"allocatable": {"cpu": cpu}, "conditions": [{"type": "Ready", "status": ready}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "status": status}


@pytest.mark.parametrize(
    ("own", "shares", "given"),
    [
        ("aabb", {"a": 0.5, "b": 0.5}, {"a": 2, "b": 2}),
        ("aaaa", {"a": 0.5, "b": 0.5}, {"a": 2, "b": 2}),
        ("aaabbb", {"a": 0.75, "b": 0.25}, {"a": 4, "b": 2}),
        ("aaacccc", {"a": 0.5, "b": 0.5}, {"a": 3, "b": 3, "c": 1}),
    ],
)
def test_zones_get_what_they_need_at_least(own: str, shares: dict[str, float], given: dict[str, int]) -> None:
    assigned = hints.assign(list(own), shares)
    assert not isinstance(assigned, str)
    assert Counter(assigned) == given


def test_endpoints_stay_at_home_where_they_may() -> None:
    assert hints.assign(list("abab"), {"a": 0.5, "b": 0.5}) == list("abab")
    assert hints.assign(list("aaba"), {"a": 0.5, "b": 0.5}) == list("aabb")


@pytest.mark.parametrize(
    ("own", "shares", "why"),
    [
        (
            "a",
            {"a": 0.5, "b": 0.5},
            "Insufficient number of Endpoints (1), impossible to safely allocate proportionally",
        ),
        ("abc", {"a": 0.4, "b": 0.4, "c": 0.2}, None),
        (
            "ab",
            {"a": 0.7, "b": 0.3},
            "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (2 endpoints, 2 zones)",
        ),
    ],
)
def test_what_is_not_safe_is_told(own: str, shares: dict[str, float], why: str | None) -> None:
    told = hints.assign(list(own), shares)
    assert told == (why or list(own))


@pytest.mark.parametrize(
    ("nodes", "shares"),
    [
        ([node("n1", "a"), node("n2", "b", "12")], {"a": 0.25, "b": 0.75}),
        ([node("n1", "a"), node("n2", "b", ready="False")], "Nodes only ready in one zone"),
        (
            [node("n1", "a"), node("n2", "")],
            "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes",
        ),
    ],
)
def test_shares_of_zones(nodes: list[Object], shares: dict[str, float] | str) -> None:
    assert hints.zone_shares(view_of(each, Node) for each in nodes) == shares


def test_a_service_gets_hints_and_loses_them() -> None:
    async def main() -> None:
        w = World(EndpointSliceController)
        for each in (node("n1", "a"), node("n2", "b")):
            w.api.put("nodes", each)
        spec = {"clusterIP": "10.96.0.9", "selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]}
        metadata = {"name": "web", "namespace": "default", "uid": "u", "annotations": {hints.ANNOTATION: "Auto"}}
        w.api.put("services", {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
        for n in range(4):
            found = pod(f"p{n}", app="web")
            found["spec"]["nodeName"] = f"n{n % 2 + 1}"
            w.api.put("pods", found)

        def zones() -> list[tuple[str, str]]:
            [only] = w.api.all("endpointslices")
            return sorted(
                (each["zone"], each.get("hints", {}).get("forZones", [{"name": ""}])[0]["name"])
                for each in only["endpoints"]
            )

        async with w.running():
            await w.settle()
            assert zones() == [("a", "a"), ("a", "a"), ("b", "b"), ("b", "b")]
            assert (
                "TopologyAwareHintsEnabled",
                "Topology Aware Hints has been enabled, addressType: IPv4",
            ) in w.events()
            w.api.edit("nodes", "n2", lambda n: n["status"]["conditions"][0].update(status="False"))
            await w.settle()
            assert zones() == [("a", ""), ("a", ""), ("b", ""), ("b", "")]
            assert ("TopologyAwareHintsDisabled", "Nodes only ready in one zone, addressType: IPv4") in w.events()

    virtual.run(main())


def test_of_two_families_each_is_told_once() -> None:
    async def main() -> None:
        w = World(EndpointSliceController)
        w.api.put("nodes", node("n1", "a"))
        spec = {"clusterIP": "10.96.0.9", "selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]}
        spec["ipFamilies"] = ["IPv4", "IPv6"]
        metadata = {"name": "web", "namespace": "default", "uid": "u", "annotations": {hints.ANNOTATION: "Auto"}}
        w.api.put("services", {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
        async with w.running():
            await w.settle()
            for name in ("p0", "p1"):
                w.api.put("pods", pod(name, app="web"))
                await w.settle()
            told = [(each["reason"], each["message"], each.get("count", 1)) for each in w.api.all("events")]
            assert sorted(message for _, message, _ in told) == [
                "Nodes only ready in one zone, addressType: IPv4",
                "Nodes only ready in one zone, addressType: IPv6",
            ]
            assert [count for _, _, count in told] == [1, 1]

    virtual.run(main())
