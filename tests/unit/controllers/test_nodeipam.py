"""Pod ranges of nodes."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import virtual
from world import World

from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.controllers.nodeipam.loop import NodeIpamController
from cybernetes.controllers.nodeipam.plan import Ranges
from cybernetes.wire.http.message import Request


def test_ranges_are_taken_in_turn_and_freed_ones_rest() -> None:
    ranges = Ranges("10.244.0.0/22", 24)
    assert [ranges.take() for _ in range(2)] == ["10.244.0.0/24", "10.244.1.0/24"]
    ranges.free("10.244.0.0/24")
    ranges.occupy("10.244.3.0/24")
    assert [ranges.take() for _ in range(3)] == ["10.244.2.0/24", "10.244.0.0/24", None]


@pytest.mark.parametrize(
    ("occupied", "then"),
    [("10.244.0.128/25", "10.244.1.0/24"), ("10.244.0.0/23", "10.244.2.0/24"), ("192.168.0.0/24", "10.244.0.0/24")],
)
def test_any_overlap_is_taken(occupied: str, then: str) -> None:
    ranges = Ranges("10.244.0.0/16", 24)
    ranges.occupy(occupied)
    assert ranges.take() == then


def test_ipv6_parts() -> None:
    ranges = Ranges("fd00::/48", 64)
    assert [ranges.take(), ranges.take()] == ["fd00::/64", "fd00:0:0:1::/64"]


def node(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}


def world(*clusters: tuple[str, int]) -> World:
    return World(functools.partial(NodeIpamController, clusters=clusters))


def parts(w: World) -> dict[str, Any]:
    return {each["metadata"]["name"]: each["spec"].get("podCIDRs") for each in w.api.all("nodes")}


def test_nodes_get_one_range_per_family_and_keep_what_they_have() -> None:
    async def main() -> None:
        w = world(("10.244.0.0/16", 24), ("fd00::/48", 64))
        w.api.put("nodes", node("old", podCIDR="10.244.0.0/24", podCIDRs=["10.244.0.0/24", "fd00::/64"]))
        w.api.put("nodes", node("new"))
        async with w.running():
            await w.settle()
            assert parts(w) == {
                "old": ["10.244.0.0/24", "fd00::/64"],
                "new": ["10.244.1.0/24", "fd00:0:0:1::/64"],
            }

    virtual.run(main())


def test_a_full_cluster_says_so_and_goes_on_when_a_node_leaves() -> None:
    async def main() -> None:
        w = world(("10.244.0.0/24", 25))
        for name in ("a", "b", "c"):
            w.api.put("nodes", node(name))
        async with w.running():
            await w.settle()
            assert parts(w)["c"] is None
            assert ("CIDRNotAvailable", "Node c status is now: CIDRNotAvailable") in w.events()
            w.api.remove("nodes", "a")
            await w.settle(60)
            assert parts(w)["c"] == ["10.244.0.0/25"]

    virtual.run(main())


def test_a_write_that_may_have_happened_keeps_its_range() -> None:
    async def main() -> None:
        w = world(("10.244.0.0/16", 24))
        failures = 2
        seen = []

        def lose(request: Request) -> None:
            nonlocal failures
            if request.method == "PATCH":
                seen.append(request.body)
                if failures:
                    failures -= 1
                    raise EdgeError("PATCH", request.path, "connection reset", outcome=Outcome.UNKNOWN)

        w.api.fault = lose
        w.api.put("nodes", node("a"))
        async with w.running():
            await w.settle()
            assert parts(w) == {"a": ["10.244.0.0/24"]}
            assert len(set(seen)) == 1

    virtual.run(main())
