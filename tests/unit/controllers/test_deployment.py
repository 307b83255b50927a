"""Deployments: plans as tables, rollouts against an API in memory."""

from __future__ import annotations

from typing import Any

import pytest
import virtual
from world import World, template, view_of

from cybernetes.controllers.deployment import loop, plan, revision
from cybernetes.controllers.objects import Deployment, ReplicaSet
from cybernetes.controllers.replicaset import loop as replicaset

Object = dict[str, Any]


def deployment(replicas: int = 3, image: str = "app:1", **spec: Any) -> Object:
    pods = template(app="web")
    pods["spec"]["containers"][0]["image"] = image
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "web-uid", "annotations": {"team": "shop"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": pods,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            **spec,
        },
    }


def rolling(surge: int | str, unavailable: int | str) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "wanted"),
    [
        (10, "25%", "25%", plan.Limits(3, 2)),
        (1, "25%", "25%", plan.Limits(1, 0)),
        (3, 0, "10%", plan.Limits(0, 1)),
        (3, 1, 5, plan.Limits(1, 3)),
        (0, 1, 1, plan.Limits(1, 0)),
    ],
)
def test_how_far_a_rollout_may_stray(replicas: int, surge: Any, unavailable: Any, wanted: plan.Limits) -> None:
    found = view_of(deployment(replicas, strategy=rolling(surge, unavailable)), Deployment)
    assert plan.limits(found) == wanted


def replica_set(name: str, replicas: int, available: int, image: str = "app:1", **annotations: str) -> ReplicaSet:
    pods = template(app="web")
    pods["spec"]["containers"][0]["image"] = image
    return view_of(
        {
            "metadata": {
                "name": name,
                "creationTimestamp": f"2026-01-01T00:00:0{name[-1]}Z",
                "annotations": {revision.REVISION: name[-1], "team": "shop", **annotations},
            },
            "spec": {"replicas": replicas, "template": pods},
            "status": {"replicas": replicas, "availableReplicas": available},
        },
        ReplicaSet,
    )


def sized(size: int, most: int) -> Object:
    return {revision.DESIRED: str(size), revision.MAX: str(most)}


def scales(wanted: Deployment, *sets: ReplicaSet) -> dict[str, int]:
    actions = plan.plan(wanted, plan.sort_sets(wanted, sets), old_pods=False, complete=False)
    return {each.replica_set.metadata.name: each.replicas for each in actions if isinstance(each, plan.Scale)}


def test_a_rollout_grows_the_new_before_it_shrinks_the_old() -> None:
    wanted = view_of(deployment(10, "app:2", strategy=rolling(3, 2)), Deployment)
    size = sized(10, 13)
    assert scales(wanted, replica_set("s1", 10, 10, **size), replica_set("s2", 0, 0, "app:2", **size)) == {"s2": 3}
    assert scales(wanted, replica_set("s1", 10, 10, **size), replica_set("s2", 3, 0, "app:2", **size)) == {"s1": 8}
    assert scales(wanted, replica_set("s1", 8, 8, **size), replica_set("s2", 3, 0, "app:2", **size)) == {"s2": 5}
    assert scales(wanted, replica_set("s1", 8, 8, **size), replica_set("s2", 5, 5, "app:2", **size)) == {"s1": 3}


def test_replicas_that_were_given_up_are_not_given_up_again() -> None:
    """The status still counts a pod that its set is about to delete."""
    wanted = view_of(deployment(8, "app:2", strategy=rolling(2, 1)), Deployment)
    size = sized(8, 10)
    assert scales(wanted, replica_set("s1", 6, 7, **size), replica_set("s2", 4, 3, "app:2", **size)) == {"s1": 4}


def test_replicas_that_serve_nobody_go_first() -> None:
    wanted = view_of(deployment(10, "app:2", strategy=rolling(3, 2)), Deployment)
    size = sized(10, 13)
    old = replica_set("s1", 8, 2, **size)
    new = replica_set("s2", 5, 5, "app:2", **size)
    assert scales(wanted, old, new) == {"s1": 3}, "five of six that are not available; none that is"


def test_scaling_in_the_middle_of_a_rollout_keeps_the_shares() -> None:
    wanted = view_of(deployment(20, "app:2", strategy=rolling(3, 2)), Deployment)
    size = sized(10, 13)
    found = scales(wanted, replica_set("s1", 8, 8, **size), replica_set("s2", 5, 2, "app:2", **size))
    assert found == {"s1": 14, "s2": 9}
    smaller = view_of(deployment(5, "app:2", strategy=rolling(3, 2)), Deployment)
    found = scales(smaller, replica_set("s1", 8, 8, **size), replica_set("s2", 5, 2, "app:2", **size))
    assert sum(found.values()) == 8


def test_a_reused_template_takes_the_next_revision_and_remembers_the_former() -> None:
    wanted = view_of(deployment(3, "app:1"), Deployment)
    sets = plan.sort_sets(wanted, [replica_set("s1", 0, 0), replica_set("s2", 3, 3, "app:2")])
    [action] = plan.plan(wanted, sets, old_pods=False, complete=False)
    assert isinstance(action, plan.Annotate)
    assert action.annotations == {revision.REVISION: "3", revision.HISTORY: "1", "team": "shop"}


def test_history_beyond_the_limit_is_deleted_oldest_first() -> None:
    wanted = view_of(deployment(1, "app:4", revisionHistoryLimit=1), Deployment)
    old = [replica_set(f"s{n}", 0, 0, f"app:{n}") for n in range(1, 4)]
    new = replica_set("s4", 1, 1, "app:4", **sized(1, 2))
    actions = plan.plan(wanted, plan.sort_sets(wanted, [*old, new]), old_pods=False, complete=True)
    assert [each.replica_set.metadata.name for each in actions if isinstance(each, plan.Delete)] == ["s1", "s2"]


def test_the_hash_is_stable_and_ignores_its_own_label() -> None:
    assert revision.fnv1a(b"a") == 0xE40C292C
    a = view_of(deployment(), Deployment).spec.template
    first = revision.template_hash(a, None)
    assert first == revision.template_hash(a, None) and first != revision.template_hash(a, 0)
    labelled = deployment()
    labelled["spec"]["template"]["metadata"]["labels"][revision.HASH_LABEL] = first
    assert revision.same_template(view_of(labelled, Deployment).spec.template, a)


def world() -> World:
    return World(loop.DeploymentController, replicaset.replica_sets)


def change_image(image: str) -> Any:
    return lambda d: d["spec"]["template"]["spec"]["containers"][0].update(image=image)


def conditions(found: World) -> dict[str, tuple[str, str, str]]:
    [live] = found.api.all("deployments")
    listed = live.get("status", {}).get("conditions", [])
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in listed}


def sizes(found: World) -> list[int]:
    return [each["spec"]["replicas"] for each in found.api.all("replicasets")]


def test_a_deployment_comes_up() -> None:
    async def main() -> None:
        w = world()
        w.api.put("deployments", deployment())
        async with w.running():
            await w.settle()
            [replica_set] = w.api.all("replicasets")
            value = replica_set["metadata"]["labels"]["pod-template-hash"]
            assert replica_set["metadata"]["name"] == f"web-{value}"
            assert replica_set["spec"]["selector"] == {"matchLabels": {"app": "web", "pod-template-hash": value}}
            assert replica_set["metadata"]["annotations"] == {
                "team": "shop",
                "deployment.kubernetes.io/revision": "1",
                "deployment.kubernetes.io/desired-replicas": "3",
                "deployment.kubernetes.io/max-replicas": "4",
            }
            assert len(w.pods()) == 3
            [live] = w.api.all("deployments")
            assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
            assert live["metadata"]["generation"] == 1
            assert {k: v for k, v in live["status"].items() if k != "conditions"} == {
                "observedGeneration": 1,
                "replicas": 3,
                "updatedReplicas": 3,
                "readyReplicas": 3,
                "availableReplicas": 3,
                "terminatingReplicas": 0,
            }
            name = replica_set["metadata"]["name"]
            assert conditions(w) == {
                "Available": ("True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
                "Progressing": (
                    "True",
                    "NewReplicaSetAvailable",
                    f'ReplicaSet "{name}" has successfully progressed.',
                ),
            }
            assert ("ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 3") in w.events()

    virtual.run(main())


def test_a_rollout_never_falls_below_its_minimum_and_can_be_undone() -> None:
    async def main() -> None:
        w = world()
        w.api.put("deployments", deployment(8, strategy=rolling(2, 1)))
        async with w.running():
            await w.settle()
            first = w.api.all("replicasets")[0]["metadata"]["name"]
            fewest, most = 99, 0

            def watch(pod: Object) -> None:
                nonlocal fewest, most
                w.run_pod(pod)
                ready = [each for each in w.pods() if each["status"].get("phase") == "Running"]
                fewest, most = min(fewest, len(ready)), max(most, len(w.pods()))

            w.becomes = watch
            w.api.edit("deployments", "web", change_image("app:2"))
            await w.settle(20)
            assert sorted(sizes(w)) == [0, 8] and fewest >= 7 and most <= 10
            assert {p["spec"]["containers"][0]["image"] for p in w.pods()} == {"app:2"}
            w.api.edit("deployments", "web", change_image("app:1"))
            await w.settle(20)
            assert {p["spec"]["containers"][0]["image"] for p in w.pods()} == {"app:1"}
            assert len(w.api.all("replicasets")) == 2
            reused = next(each for each in w.api.all("replicasets") if each["metadata"]["name"] == first)
            assert reused["metadata"]["annotations"][revision.REVISION] == "3"
            assert reused["metadata"]["annotations"][revision.HISTORY] == "1"
            assert w.api.all("deployments")[0]["metadata"]["annotations"][revision.REVISION] == "3"

    virtual.run(main())


def test_recreate_waits_until_the_old_pods_are_gone() -> None:
    async def main() -> None:
        w = world()
        w.api.put("deployments", deployment(2, strategy={"type": "Recreate"}))
        async with w.running():
            await w.settle()
            w.kubelet_on = False
            w.api.edit("deployments", "web", change_image("app:2"))
            await w.settle()
            assert sizes(w) == [0], "the old pods are still leaving"
            w.kubelet_on = True
            await w.settle()
            assert sorted(sizes(w)) == [0, 2]
            assert {p["spec"]["containers"][0]["image"] for p in w.pods()} == {"app:2"}

    virtual.run(main())


def test_recreate_waits_until_the_old_set_says_that_its_pods_are_gone() -> None:
    async def main() -> None:
        w = World(loop.DeploymentController)
        w.api.put("deployments", deployment(2, strategy={"type": "Recreate"}))
        async with w.running():
            await w.settle()
            [old] = w.api.all("replicasets")
            w.api.edit("replicasets", old["metadata"]["name"], lambda r: r.update(status={"replicas": 2}))
            w.api.edit("deployments", "web", change_image("app:2"))
            await w.settle()
            assert sizes(w) == [0]
            w.api.edit("replicasets", old["metadata"]["name"], lambda r: r["status"].update(replicas=0))
            await w.settle()
            assert sorted(sizes(w)) == [0, 2]

    virtual.run(main())


def test_a_paused_deployment_scales_but_does_not_roll() -> None:
    async def main() -> None:
        w = world()
        w.api.put("deployments", deployment())
        async with w.running():
            await w.settle()
            w.api.edit("deployments", "web", lambda d: d["spec"].update(paused=True))
            await w.settle()
            assert conditions(w)["Progressing"] == ("Unknown", "DeploymentPaused", "Deployment is paused")
            w.api.edit("deployments", "web", change_image("app:2"))
            w.api.edit("deployments", "web", lambda d: d["spec"].update(replicas=5))
            await w.settle()
            assert sizes(w) == [5]
            w.api.edit("deployments", "web", lambda d: d["spec"].update(paused=False))
            await w.settle(10)
            assert sorted(sizes(w)) == [0, 5]

    virtual.run(main())


def test_a_rollout_that_does_not_move_passes_its_deadline() -> None:
    async def main() -> None:
        w = world()
        w.kubelet_on = False
        w.api.put("deployments", deployment(progressDeadlineSeconds=60))
        async with w.running():
            await w.settle(30)
            assert conditions(w)["Progressing"][0] == "True"
            assert conditions(w)["Available"][1] == "MinimumReplicasUnavailable"
            await w.settle(60)
            name = w.api.all("replicasets")[0]["metadata"]["name"]
            assert conditions(w)["Progressing"] == (
                "False",
                "ProgressDeadlineExceeded",
                f'ReplicaSet "{name}" has timed out progressing.',
            )
            w.kubelet_on = True
            await w.settle(10)
            assert conditions(w)["Progressing"][1] == "NewReplicaSetAvailable"

    virtual.run(main())


def test_a_taken_name_changes_the_hash() -> None:
    async def main() -> None:
        w = world()
        value = revision.template_hash(view_of(deployment(), Deployment).spec.template, None)
        w.api.put(
            "replicasets",
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {"name": f"web-{value}", "namespace": "default"},
                "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template(a="b")},
            },
        )
        w.api.put("deployments", deployment())
        async with w.running():
            await w.settle()
            assert w.api.all("deployments")[0]["status"]["collisionCount"] == 1
            assert len(w.pods()) == 3

    virtual.run(main())


def test_replica_sets_that_match_are_adopted() -> None:
    async def main() -> None:
        w = world()
        w.api.put("deployments", deployment())
        async with w.running():
            await w.settle()
            name = w.api.all("replicasets")[0]["metadata"]["name"]
            w.api.edit("replicasets", name, lambda rs: rs["metadata"].pop("ownerReferences"))
            await w.settle()
            [adopted] = w.api.all("replicasets")
            assert adopted["metadata"]["ownerReferences"][0]["uid"] == "web-uid"

    virtual.run(main())
