"""DaemonSets: which nodes fit, one pod on each, rollouts in place and with surge."""

from __future__ import annotations

from typing import Any

import pytest
import virtual
from world import World, template, view_of

from cybernetes.controllers.daemonset.eligible import Fit, Fitter, for_node, with_tolerations
from cybernetes.controllers.daemonset.loop import DaemonSetController
from cybernetes.controllers.objects import Node

Object = dict[str, Any]


def node(name: str, *taints: tuple[str, str], **labels: str) -> Object:
    listed = [{"key": key, "effect": effect} for key, effect in taints]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": listed},
    }


def affinity(*terms: Object) -> Object:
    required = {"nodeSelectorTerms": list(terms)}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}


@pytest.mark.parametrize(
    ("spec", "found", "fit"),
    [
        ({}, node("a"), Fit(True, True)),
        ({"nodeSelector": {"disk": "ssd"}}, node("a"), Fit(False, False)),
        ({"nodeSelector": {"disk": "ssd"}}, node("a", disk="ssd"), Fit(True, True)),
        ({"nodeName": "b"}, node("a"), Fit(False, False)),
        ({}, node("a", ("team", "NoSchedule")), Fit(False, True)),
        ({}, node("a", ("team", "NoExecute")), Fit(False, False)),
        ({}, node("a", ("team", "PreferNoSchedule")), Fit(True, True)),
        ({}, node("a", ("node.kubernetes.io/unreachable", "NoExecute")), Fit(True, True)),
        ({}, node("a", ("node.kubernetes.io/unschedulable", "NoSchedule")), Fit(True, True)),
        ({}, node("a", ("node.kubernetes.io/network-unavailable", "NoSchedule")), Fit(False, True)),
        (
            {"hostNetwork": True},
            node("a", ("node.kubernetes.io/network-unavailable", "NoSchedule")),
            Fit(True, True),
        ),
        (
            affinity({"matchExpressions": [{"key": "n", "operator": "Gt", "values": ["3"]}]}),
            node("a", n="4"),
            Fit(True, True),
        ),
        (
            affinity({"matchExpressions": [{"key": "n", "operator": "Gt", "values": ["3"]}]}),
            node("a", n="3"),
            Fit(False, False),
        ),
        (affinity({}), node("a"), Fit(False, False)),
        (
            affinity(
                {"matchExpressions": [{"key": "x", "operator": "Exists"}]},
                {"matchExpressions": [{"key": "y", "operator": "DoesNotExist"}]},
            ),
            node("a"),
            Fit(True, True),
        ),
    ],
)
def test_which_nodes_fit(spec: Object, found: Object, fit: Fit) -> None:
    assert Fitter(with_tolerations(spec)).fit(view_of(found, Node)) == fit


def test_a_pod_is_bound_to_its_node_within_every_term() -> None:
    spec = for_node(affinity({"matchExpressions": [{"key": "x", "operator": "Exists"}]}), "a")
    [term] = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchFields"] == [{"key": "metadata.name", "operator": "In", "values": ["a"]}]
    assert term["matchExpressions"][0]["key"] == "x"


def daemon_set(image: str = "app:1", **spec: Any) -> Object:
    pods = template(app="web")
    pods["spec"]["containers"][0]["image"] = image
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "web", "namespace": "default", "uid": "web-uid"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": pods, **spec},
    }


def world(nodes: int = 3) -> World:
    w = World(DaemonSetController)
    for n in range(nodes):
        w.api.put("nodes", node(f"n{n}"))

    def place(pod: Object) -> None:
        terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        pod["spec"]["nodeName"] = terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
        w.run_pod(pod)

    w.becomes = place
    return w


def images(w: World) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in w.pods():
        found.setdefault(each["spec"].get("nodeName", ""), []).append(each["spec"]["containers"][0]["image"])
    return found


def test_every_node_gets_one_pod() -> None:
    async def main() -> None:
        w = world()
        w.api.put("daemonsets", daemon_set())
        async with w.running():
            await w.settle()
            assert images(w) == {"n0": ["app:1"], "n1": ["app:1"], "n2": ["app:1"]}
            [revision] = w.api.all("controllerrevisions")
            value = revision["metadata"]["labels"]["controller-revision-hash"]
            assert revision["metadata"]["name"] == f"web-{value}" and revision["revision"] == 1
            assert revision["data"]["spec"]["template"]["$patch"] == "replace"
            assert {p["metadata"]["labels"]["controller-revision-hash"] for p in w.pods()} == {value}
            assert w.api.all("daemonsets")[0]["status"] == {
                "currentNumberScheduled": 3,
                "desiredNumberScheduled": 3,
                "numberMisscheduled": 0,
                "numberReady": 3,
                "numberAvailable": 3,
                "updatedNumberScheduled": 3,
                "observedGeneration": 1,
            }
            w.api.put("nodes", node("n3"))
            w.api.edit("nodes", "n0", lambda n: n["spec"].update(taints=[{"key": "k", "effect": "NoExecute"}]))
            await w.settle()
            assert sorted(images(w)) == ["n1", "n2", "n3"]

    virtual.run(main())


def test_a_rollout_takes_one_node_at_a_time_and_can_be_undone() -> None:
    async def main() -> None:
        w = world(4)
        w.api.put("daemonsets", daemon_set())
        async with w.running():
            await w.settle()
            fewest = 99
            place = w.becomes

            def watch(pod: Object) -> None:
                nonlocal fewest
                fewest = min(fewest, sum(each["status"]["phase"] == "Running" for each in w.pods()))
                place(pod)

            w.becomes = watch
            change = lambda image: lambda d: d["spec"]["template"]["spec"]["containers"][0].update(image=image)  # noqa: E731
            w.api.edit("daemonsets", "web", change("app:2"))
            await w.settle(20)
            assert set(sum(images(w).values(), [])) == {"app:2"} and fewest == 3  # noqa: RUF017
            w.api.edit("daemonsets", "web", change("app:1"))
            await w.settle(20)
            assert set(sum(images(w).values(), [])) == {"app:1"}  # noqa: RUF017
            assert sorted(each["revision"] for each in w.api.all("controllerrevisions")) == [2, 3]

    virtual.run(main())


def test_with_surge_the_new_pod_comes_before_the_old_goes() -> None:
    async def main() -> None:
        w = world(2)
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        w.api.put("daemonsets", daemon_set(updateStrategy=rolling))
        async with w.running():
            await w.settle()
            w.kubelet_on = False
            w.api.edit(
                "daemonsets", "web", lambda d: d["spec"]["template"]["spec"]["containers"][0].update(image="app:2")
            )
            await w.settle()
            assert len(w.pods()) == 3, "one more, on one node"
            w.kubelet_on = True
            await w.settle(20)
            assert images(w) == {"n0": ["app:2"], "n1": ["app:2"]}

    virtual.run(main())


def test_a_failing_pod_is_replaced_later_and_later() -> None:
    async def main() -> None:
        w = world(1)

        def fail(pod: Object) -> None:
            pod["spec"]["nodeName"] = "n0"
            pod["status"] = {"phase": "Failed"}

        w.becomes = fail
        w.api.put("daemonsets", daemon_set())
        async with w.running():
            await w.settle(60)
            made = sum(request == ("POST", "/api/v1/namespaces/default/pods") for request in w.api.requests)
            assert 5 <= made <= 8, "1, 2, 4, 8, 16 seconds apart"
            assert any(reason == "FailedDaemonPod" for reason, _ in w.events())

    virtual.run(main())
