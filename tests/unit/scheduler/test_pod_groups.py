"""Pods of a group: enough of them get nodes, or none."""

from __future__ import annotations

from typing import Any

import pytest
from memory_api import MemoryApi, node, pod
from test_dryrun import of, outcomes, saved
from test_scheduler_loop import NODES, PODS, bound, condition, running, until

from cybernetes.scheduler.pods import GROUP_LABEL, GROUP_MIN_ANNOTATION


def member(name: str, minimum: str = "3", **more: Any) -> dict[str, Any]:
    manifest = pod(name, cpu="600m", **more)
    manifest["metadata"]["labels"] = {GROUP_LABEL: "ring"}
    manifest["metadata"]["annotations"] = {GROUP_MIN_ANNOTATION: minimum}
    return manifest


def nodes(api: MemoryApi, *names: str) -> None:
    for name in names:
        api.put(NODES, node(name, cpu="1"))


async def test_nobody_goes_before_the_group_is_there() -> None:
    api = MemoryApi()
    nodes(api, "a", "b", "c")
    async with running(api):
        for name in ("x", "y"):
            api.put(PODS, member(name))
        await until(lambda: condition(api.pod("shop/y")))
        assert condition(api.pod("shop/y"))["message"].startswith("pod group shop/ring has 2 of 3 pods")
        assert not bound(api, "x")
        api.put(PODS, member("z"))
        await until(lambda: all(bound(api, name) for name in ("x", "y", "z")))


async def test_what_fits_only_in_part_leaves_its_place_to_others() -> None:
    api = MemoryApi()
    nodes(api, "a", "b")
    for name in ("x", "y", "z"):
        api.put(PODS, member(name))
    async with running(api):
        await until(lambda: condition(api.pod("shop/z")))
        words = condition(api.pod("shop/x"))["message"]
        assert words.startswith("pod group shop/ring: 1 more of its pods would have to fit; 0/2 nodes are available: ")
        api.put(PODS, pod("other", cpu="900m"))
        await until(lambda: bound(api, "other"))
        assert not any(bound(api, name) for name in ("x", "y", "z"))
        nodes(api, "c", "d")
        await until(lambda: all(bound(api, name) for name in ("x", "y", "z")))


async def test_a_member_that_comes_later_joins_those_that_run() -> None:
    api = MemoryApi()
    nodes(api, "a", "b", "c")
    for name, where in (("x", "a"), ("y", "b")):
        api.put(PODS, member(name, nodeName=where))
    async with running(api):
        api.put(PODS, member("z"))
        assert await until(lambda: bound(api, "z")) == "c"


@pytest.mark.parametrize("minimum", ["many", "²", "1" * 5000])
async def test_a_group_without_a_number_says_so(minimum: str) -> None:
    api = MemoryApi()
    nodes(api, "a")
    api.put(PODS, member("x", minimum))
    async with running(api):
        await until(lambda: condition(api.pod("shop/x")))
    assert "min-member is no positive number" in condition(api.pod("shop/x"))["message"]


def test_a_dry_run_knows_groups() -> None:
    found = outcomes(saved(of("Node", node("a", cpu="1"))), member("x", "2"), member("y", "2"))
    assert [each.node for each in found] == ["", ""]
    assert found[0].message == "pod group shop/ring: 1 of 2 pods fit"
