"""Where pods would go, and what they would evict: decided, and done to nobody."""

from __future__ import annotations

from typing import Any

import pytest
from memory_api import node, pod

from cybernetes.base.random import SeededRandom
from cybernetes.scheduler.dryrun import Outcome, decide_all, render
from cybernetes.scheduler.manifests import NotPods, completed, makes_pods, objects_of, pods_of
from cybernetes.scheduler.snapshot import Snapshot


def saved(*items: dict[str, Any]) -> Snapshot:
    found = Snapshot()
    found.add_saved({"items": list(items)})
    found.place_running()
    return found


def of(kind: str, obj: dict[str, Any], api_version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, **obj}


def outcomes(snapshot: Snapshot, *pods: dict[str, Any]) -> list[Outcome]:
    manifests = [found for each in pods for found in pods_of(of("Pod", each), "shop")]
    entries = [snapshot.entry(completed(each, snapshot.priorities)) for each in manifests]
    return decide_all(snapshot, entries, SeededRandom(1))


def test_earlier_pods_are_in_the_way_of_later_ones() -> None:
    snapshot = saved(of("Node", node("a", cpu="1")), of("Node", node("b", cpu="1")))
    found = outcomes(snapshot, pod("x", cpu="800m"), pod("y", cpu="800m"), pod("z", cpu="800m"))
    assert {each.node for each in found[:2]} == {"a", "b"}
    assert found[2].node == ""
    assert found[2].message.startswith("0/2 nodes are available: 2 Insufficient cpu.")


def test_the_more_important_is_decided_first_whatever_the_order_of_the_file() -> None:
    snapshot = saved(of("Node", node("a", cpu="1")))
    found = outcomes(snapshot, pod("small", cpu="800m", priority=1), pod("big", cpu="800m", priority=9))
    assert [(each.pod, each.node) for each in found] == [("shop/small", ""), ("shop/big", "a")]


def test_victims_are_named_and_gone_for_the_next() -> None:
    running = of("Pod", pod("old", cpu="900m", nodeName="a", priority=1))
    budget = {
        "metadata": {"name": "b", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": 0},
    }
    snapshot = saved(of("Node", node("a", cpu="1")), running, of("PodDisruptionBudget", budget, "policy/v1"))
    found = outcomes(snapshot, pod("vip", cpu="500m", priority=9), pod("next", cpu="400m", priority=5))
    assert (found[0].node, found[0].evicts) == ("a", ("shop/old",))
    assert found[0].message == "breaks 1 disruption budget(s)"
    assert (found[1].node, found[1].evicts) == ("a", ())


def test_a_priority_class_gives_its_number() -> None:
    high = of("PriorityClass", {"metadata": {"name": "high"}, "value": 7}, "scheduling.k8s.io/v1")
    lesser = of("Pod", pod("old", cpu="900m", nodeName="a", priority=1))
    snapshot = saved(of("Node", node("a", cpu="1")), high, lesser)
    (found,) = outcomes(snapshot, pod("vip", cpu="500m", priorityClassName="high"))
    assert found.evicts == ("shop/old",)
    with pytest.raises(NotPods, match="no PriorityClass with name low"):
        outcomes(snapshot, pod("x", priorityClassName="low"))


def test_workloads_are_the_pods_that_they_would_make() -> None:
    template = {"metadata": {"labels": {"app": "x"}}, "spec": pod("x")["spec"]}
    deployment = of("Deployment", {"metadata": {"name": "web"}, "spec": {"replicas": 2, "template": template}})
    (listed,) = objects_of([{"kind": "List", "items": [deployment]}])
    names = [each["metadata"]["name"] for each in pods_of(listed, "shop")]
    assert names == ["web-0", "web-1"]
    assert not makes_pods(of("Service", {"metadata": {"name": "web"}}))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("just a text", "a document without kind"),
        ({"metadata": {"name": "x"}}, "a document without kind"),
        (of("DaemonSet", {"metadata": {"name": "agent"}}), "DaemonSet agent makes one on each node"),
        (of("CronJob", {"metadata": {"name": "night"}}), "give that Job"),
        (of("Deployment", {"metadata": {"name": "web"}}), "needs a number of replicas and a template"),
    ],
)
def test_what_nobody_can_count_is_refused(document: object, said: str) -> None:
    with pytest.raises(NotPods, match=said):
        [pod for each in objects_of([document]) for pod in pods_of(each, "shop")]


def test_pods_of_other_schedulers_and_gated_ones_stay() -> None:
    snapshot = saved(of("Node", node("a")))
    found = outcomes(snapshot, pod("x", schedulerName="other"), pod("y", schedulingGates=[{"name": "g"}]))
    assert [each.message for each in found] == [
        "no scheduler is called other here",
        "waiting for scheduling gates: [g]",
    ]


def test_the_table() -> None:
    rows = [Outcome("shop/x", "a", 3, 250), Outcome("shop/y", "b", 1, evicts=("shop/z",)), Outcome("s/n", message="no")]
    assert render(rows) == (
        "POD     NODE     OF  SCORE  EVICTS\n"
        "shop/x  a        3   250    -\n"
        "shop/y  b        1   0      shop/z\n"
        "s/n     nowhere  -   -      -\n"
        "    no"
    )
