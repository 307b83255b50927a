"""The page that says why a pod is where it is, or nowhere."""

from __future__ import annotations

import json

import pytest
from memory_api import node, pod

from cybernetes.client.target import NODES, PODS
from cybernetes.scheduler.explain import NodeView, closest, explain_placed, render
from cybernetes.scheduler.snapshot import Snapshot


def snapshot(*nodes: object, pods: tuple[object, ...] = ()) -> Snapshot:
    found = Snapshot()
    found.add(NODES, [json.dumps(each).encode() for each in nodes])
    found.add(PODS, [json.dumps(each).encode() for each in pods])
    return found


def test_possible_nodes_come_first_with_scores_by_plugin() -> None:
    views = explain_placed(
        snapshot(node("a", cpu="50m"), node("b"), node("c", cpu="16"), pods=(pod("web"),)), "shop/web"
    )
    assert [(view.node, view.reasons) for view in views] == [("c", ()), ("b", ()), ("a", ("Insufficient cpu",))]
    assert views[0].scores["NodeResourcesFit"] == 99
    assert views[0].total > views[1].total


def test_a_pod_that_runs_is_not_in_its_own_way() -> None:
    views = explain_placed(snapshot(node("a", cpu="1"), pods=(pod("web", cpu="800m", nodeName="a"),)), "shop/web")
    assert views[0].reasons == ()


def test_the_nearest_node_is_the_one_that_lacks_least() -> None:
    views = explain_placed(
        snapshot(node("a", cpu="1"), node("b", cpu="1500m"), pods=(pod("web", cpu="2"),)), "shop/web"
    )
    found = closest(views)
    assert found is not None
    assert (found.node, found.lacks) == ("b", (("cpu", 500),))


def test_the_page() -> None:
    nodes = (node("a", cpu="1"), node("b", unschedulable=True))
    views = explain_placed(snapshot(*nodes, pods=(pod("web", cpu="2"),)), "shop/web")
    assert render("shop/web", "", views) == (
        "pod shop/web has no node\n"
        "\n"
        "NODES  REASON\n"
        "    1  Insufficient cpu: a\n"
        "    1  node(s) were unschedulable: b\n"
        "\n"
        "nearest: a needs 1000m more cpu"
    )


def test_scores_are_a_table() -> None:
    views = [NodeView("node-1", scores={"NodeResourcesFit": 98, "ImageLocality": 5})]
    assert render("shop/web", "node-1", views).splitlines() == [
        "pod shop/web is on node-1",
        "",
        "NODE    TOTAL  NodeResourcesFit  ImageLocality",
        "node-1    103                98              5",
    ]


def test_an_unknown_pod_is_an_error() -> None:
    with pytest.raises(KeyError):
        explain_placed(snapshot(node("a")), "shop/none")


def test_a_cluster_without_nodes_is_told() -> None:
    assert render("shop/web", "", []).splitlines() == [
        "pod shop/web has no node",
        "",
        "there are no nodes; look at: kubectl get nodes",
    ]
