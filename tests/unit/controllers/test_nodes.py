"""Nodes that fall silent, their taints, the pods on them, and pods that nobody will remove."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
import virtual
from world import World, pod, view_of

from cybernetes.base.clock import rfc3339
from cybernetes.controllers.nodelifecycle import plan
from cybernetes.controllers.nodelifecycle.loop import NodeLifecycleController
from cybernetes.controllers.objects import Node, Taint, Toleration
from cybernetes.controllers.podgc import plan as garbage
from cybernetes.controllers.podgc.loop import PodGc
from cybernetes.controllers.tainteviction.loop import TaintEvictionController
from cybernetes.controllers.tainteviction.plan import patience_s

Object = dict[str, Any]


def node(name: str, ready: str = "True", zone: str = "", **spec: Any) -> Object:
    conditions = [{"type": "Ready", "status": ready, "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"{name}-uid", "labels": labels},
        "spec": spec,
        "status": {"conditions": conditions if ready else []},
    }


@pytest.mark.parametrize(
    ("conditions", "unschedulable", "wanted"),
    [
        ({"Ready": "True"}, False, set()),
        ({"Ready": "False"}, False, {"not-ready"}),
        ({"Ready": "Unknown"}, False, {"unreachable"}),
        ({}, False, {"unreachable"}),
        ({"Ready": "True", "DiskPressure": "True"}, True, {"disk-pressure", "unschedulable"}),
        ({"Ready": "True", "MemoryPressure": "Unknown", "NetworkUnavailable": "True"}, False, {"network-unavailable"}),
    ],
)
def test_conditions_become_taints(conditions: dict[str, str], unschedulable: bool, wanted: set[str]) -> None:
    listed = [{"type": kind, "status": status} for kind, status in conditions.items()]
    found = view_of(
        {"metadata": {"name": "n"}, "spec": {"unschedulable": unschedulable}, "status": {"conditions": listed}}, Node
    )
    assert plan.no_schedule_keys(found) == {plan.PREFIX + key for key in wanted}


def test_taints_of_others_stay() -> None:
    mine = {"key": "team", "effect": "NoExecute", "value": "a"}
    old = {"key": plan.UNSCHEDULABLE, "effect": "NoSchedule"}
    found = view_of(node("n", "False", taints=[mine, old]), Node)
    assert plan.taints(found, execute=None, now=0) == [
        mine,
        {"key": plan.NOT_READY, "effect": "NoSchedule", "timeAdded": "1970-01-01T00:00:00Z"},
    ]
    settled = view_of(node("n", "True", taints=[mine]), Node)
    assert plan.taints(settled, execute=None, now=0) is None


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ("TTT", plan.ZoneState.NORMAL),
        ("TFF", plan.ZoneState.NORMAL),
        ("FFF", plan.ZoneState.FULL),
        ("TTFFF", plan.ZoneState.PARTIAL),
        ("TTTFFF", plan.ZoneState.NORMAL),
        ("", plan.ZoneState.NORMAL),
    ],
)
def test_states_of_a_zone(statuses: str, state: plan.ZoneState) -> None:
    assert plan.zone_state(len(statuses), statuses.count("F")) is state


NO_EXECUTE = Taint(key="k", effect="NoExecute", value="v")


@pytest.mark.parametrize(
    ("tolerations", "wanted"),
    [
        ((), 0),
        ((Toleration(key="k", operator="Exists"),), math.inf),
        ((Toleration(operator="Exists"),), math.inf),
        ((Toleration(key="k", value="v", toleration_seconds=30),), 30),
        ((Toleration(key="k", value="v", toleration_seconds=-5),), 0),
        ((Toleration(key="k", value="other"),), 0),
        ((Toleration(key="k", operator="Exists", effect="NoSchedule"),), 0),
    ],
)
def test_how_long_a_pod_may_stay(tolerations: tuple[Toleration, ...], wanted: float) -> None:
    assert patience_s(tolerations, (NO_EXECUTE,)) == wanted


def taints(w: World, name: str) -> set[tuple[str, str]]:
    live = next(each for each in w.api.all("nodes") if each["metadata"]["name"] == name)
    return {(each["key"].removeprefix(plan.PREFIX), each["effect"]) for each in live["spec"].get("taints", [])}


def conditions(w: World, name: str) -> dict[str, tuple[str, str]]:
    live = next(each for each in w.api.all("nodes") if each["metadata"]["name"] == name)
    return {each["type"]: (each["status"], each.get("reason", "")) for each in live["status"]["conditions"]}


async def renew(w: World, *names: str) -> None:
    """Nodes that live: their leases are renewed every ten seconds."""
    while True:
        for name in names:
            w.api.put(
                "leases",
                {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": name, "namespace": "kube-node-lease"},
                    "spec": {"renewTime": rfc3339(w.clock.now())},
                },
            )
        await asyncio.sleep(10)


def tolerant(name: str, node_name: str, seconds: int) -> Object:
    found = pod(name, app="web")
    found["spec"]["nodeName"] = node_name
    found["spec"]["tolerations"] = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}
        for key in (plan.NOT_READY, plan.UNREACHABLE)
    ]
    return found


def test_a_silent_node_is_marked_and_its_pods_move_away() -> None:
    async def main() -> None:
        w = World(NodeLifecycleController, TaintEvictionController)
        for name in ("a", "b", "c"):
            w.api.put("nodes", node(name))
        w.api.put("pods", tolerant("p", "a", 300))
        async with w.running():
            lives = asyncio.create_task(renew(w, "a", "b", "c"))
            await w.settle(100)
            assert taints(w, "a") == set() and conditions(w, "a")["Ready"][0] == "True"
            lives.cancel()
            lives = asyncio.create_task(renew(w, "b", "c"))
            await w.settle(45)
            assert conditions(w, "a")["Ready"][0] == "True"
            await w.settle(30)
            assert conditions(w, "a") == {
                "Ready": ("Unknown", "NodeStatusUnknown"),
                "MemoryPressure": ("Unknown", "NodeStatusNeverUpdated"),
                "DiskPressure": ("Unknown", "NodeStatusNeverUpdated"),
                "PIDPressure": ("Unknown", "NodeStatusNeverUpdated"),
            }
            assert taints(w, "a") == {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}
            assert taints(w, "b") == set()
            [moved] = w.api.all("pods")
            assert moved["status"]["conditions"][0]["status"] == "False"
            assert ("NodeNotReady", "Node is not ready") in w.events()
            assert ("NodeNotReady", "Node a status is now: NodeNotReady") in w.events()
            await w.settle(250)
            assert len(w.api.all("pods")) == 1, "it tolerates the taint for five minutes"
            w.kubelet_on = False
            await w.settle(60)
            [leaving] = w.api.all("pods")
            assert "deletionTimestamp" in leaving["metadata"]
            told = leaving["status"]["conditions"][-1]
            assert (told["type"], told["reason"]) == ("DisruptionTarget", "DeletionByTaintManager")
            assert ("TaintManagerEviction", "Marking for deletion Pod default/p") in w.events()
            lives.cancel()

    virtual.run(main())


def test_a_node_that_comes_back_keeps_its_pods() -> None:
    async def main() -> None:
        w = World(NodeLifecycleController, TaintEvictionController)
        for name in ("a", "b"):
            w.api.put("nodes", node(name))
        w.api.put("pods", tolerant("p", "a", 300))
        async with w.running():
            lives = asyncio.create_task(renew(w, "b"))
            await w.settle(100)
            assert ("unreachable", "NoExecute") in taints(w, "a")

            def report(found: Object) -> None:
                found["status"]["conditions"] = [
                    {"type": "Ready", "status": "True", "lastHeartbeatTime": rfc3339(w.clock.now())}
                ]

            w.api.edit("nodes", "a", report)
            both = asyncio.create_task(renew(w, "a", "b"))
            await w.settle(20)
            assert taints(w, "a") == set()
            assert ("TaintManagerEviction", "Cancelling deletion of Pod default/p") in w.events()
            await w.settle(400)
            assert len(w.pods()) == 1
            lives.cancel()
            both.cancel()

    virtual.run(main())


def test_when_all_nodes_are_silent_nothing_is_evicted() -> None:
    async def main() -> None:
        w = World(NodeLifecycleController, TaintEvictionController)
        for name in ("a", "b"):
            w.api.put("nodes", node(name))
        w.api.put("pods", tolerant("p", "a", 0))
        async with w.running():
            await w.settle(600)
            assert taints(w, "a") == {("unreachable", "NoSchedule")}
            assert len(w.pods()) == 1

    virtual.run(main())


def test_nodes_of_a_zone_are_evicted_one_by_one() -> None:
    async def main() -> None:
        w = World(NodeLifecycleController)
        for n in range(6):
            w.api.put("nodes", node(f"n{n}", "False" if n < 2 else "True"))
        async with w.running():
            lives = asyncio.create_task(renew(w, *(f"n{n}" for n in range(6))))
            await w.settle(4)

            def tainted() -> int:
                return sum(("not-ready", "NoExecute") in taints(w, f"n{n}") for n in range(6))

            assert tainted() == 1
            await w.settle(13)
            assert tainted() == 2
            lives.cancel()

    virtual.run(main())


def test_pods_that_nobody_will_remove_are_removed() -> None:
    async def main() -> None:
        w = World(PodGc)
        w.kubelet_on = False
        w.api.put("nodes", node("here"))
        for name, where in (("stays", "here"), ("orphan", "gone"), ("unplaced", "")):
            found = pod(name)
            found["spec"]["nodeName"] = where
            w.api.put("pods", found)
        w.api.edit("pods", "unplaced", lambda p: p["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"))
        async with w.running():
            await w.settle(30)
            assert [p["metadata"]["name"] for p in w.api.all("pods")] == ["orphan", "stays"]
            await w.settle(60)
            assert [p["metadata"]["name"] for p in w.api.all("pods")] == ["stays"]

    virtual.run(main())


def test_pods_that_are_being_deleted_on_a_node_out_of_service_are_removed() -> None:
    async def main() -> None:
        w = World(PodGc)
        w.kubelet_on = False
        w.api.put("nodes", node("dead", ready="Unknown"))
        for name in ("stays", "goes"):
            found = pod(name)
            found["spec"]["nodeName"] = "dead"
            w.api.put("pods", found)
        w.api.edit("pods", "goes", lambda p: p["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"))
        async with w.running():
            await w.settle(30)
            assert len(w.api.all("pods")) == 2, "its kubelet may come back"
            taint = {"key": garbage.OUT_OF_SERVICE, "effect": "NoExecute"}
            w.api.edit("nodes", "dead", lambda n: n["spec"].update(taints=[taint]))
            await w.settle(30)
            assert [p["metadata"]["name"] for p in w.api.all("pods")] == ["stays"]

    virtual.run(main())


def test_of_ended_pods_the_oldest_go_first() -> None:
    from cybernetes.controllers.objects import Pod

    def ended(name: str, created: str) -> Pod:
        return view_of(
            {"metadata": {"name": name, "creationTimestamp": created}, "status": {"phase": "Succeeded"}}, Pod
        )

    every = [ended("new", "2026-01-02T00:00:00Z"), ended("old", "2026-01-01T00:00:00Z")]
    assert [each.pod.metadata.name for each in garbage.ended(every, limit=1)] == ["old"]
    assert garbage.ended(every, limit=2) == []
