"""ReplicaSets: the plan as a table, and the loop against an API in memory."""

from __future__ import annotations

import msgspec
import pytest
import virtual
from world import World, pod, replica_set, view_of

from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.controllers.objects import Pod, ReplicaSet
from cybernetes.controllers.replicaset import loop, plan
from cybernetes.wire.http.message import Request

NOW = 1_700_000_000.0


def view(
    name: str,
    *,
    node: str = "n",
    phase: str = "Running",
    ready_s: float | None = 1000,
    cost: str = "",
    restarts: int = 0,
    age_s: float = 1000,
) -> Pod:
    """A pod that has been ready for `ready_s` (None: is not) and exists for `age_s`."""
    conditions = []
    if ready_s is not None:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(NOW - ready_s)}]
    annotations = {"controller.kubernetes.io/pod-deletion-cost": cost} if cost else {}
    return msgspec.convert(
        {
            "metadata": {
                "name": name,
                "uid": name,
                "annotations": annotations,
                "creationTimestamp": rfc3339(NOW - age_s),
            },
            "spec": {"nodeName": node},
            "status": {
                "phase": phase,
                "conditions": conditions,
                "containerStatuses": [{"name": "app", "restartCount": restarts}],
            },
        },
        Pod,
    )


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (view("a", node=""), view("b", phase="Pending")),
        (view("z", phase="Pending", ready_s=None), view("b", phase="Unknown", ready_s=None)),
        (view("z", phase="Unknown", ready_s=None), view("b", ready_s=None)),
        (view("z", ready_s=None), view("b")),
        (view("z", cost="-1"), view("b")),
        (view("z", cost="5", ready_s=10), view("b", cost="6", ready_s=10_000)),
        (view("z", node="crowded"), view("b")),
        (view("z", ready_s=10), view("b", ready_s=5000)),
        (view("a", ready_s=1001), view("b", ready_s=1000)),
        (view("z", restarts=3), view("b", restarts=1)),
        (view("z", age_s=10), view("b", age_s=5000)),
    ],
)
def test_pods_are_deleted_in_the_order_of_their_worth(first: Pod, then: Pod) -> None:
    related = [view("x", node="crowded"), view("y", node="crowded"), first, then]
    assert plan.rank_for_deletion([then, first], related, NOW) == [first, then]


def sized(replicas: int) -> ReplicaSet:
    return view_of(replica_set("web", replicas), ReplicaSet)


def test_ended_and_leaving_pods_do_not_count() -> None:
    leaving = msgspec.structs.replace(
        view("c"), metadata=msgspec.structs.replace(view("c").metadata, deletion_timestamp=rfc3339(NOW))
    )
    owned = [view("a"), view("b", phase="Failed"), leaving]
    assert plan.plan(sized(3), owned, [], NOW) == plan.Plan(create=2)
    assert plan.plan(sized(1), owned, [], NOW) == plan.Plan()
    found = plan.status(sized(3), owned, None, NOW)
    assert (found["replicas"], found["terminatingReplicas"]) == (1, 1)


def test_one_sync_creates_and_deletes_only_so_many() -> None:
    assert plan.plan(sized(5000), [], [], NOW).create == plan.BURST_MAX
    many = [view(f"p{n}") for n in range(plan.BURST_MAX + 50)]
    assert len(plan.plan(sized(0), many, many, NOW).delete) == plan.BURST_MAX


def test_it_creates_deletes_and_replaces_pods() -> None:
    async def main() -> None:
        world = World(loop.replica_sets)
        world.api.put("replicasets", replica_set("web", 3))
        async with world.running():
            await world.settle()
            assert len(world.pods()) == 3
            made = world.pods()[0]
            assert made["metadata"]["name"].startswith("web-") and made["metadata"]["labels"] == {"app": "web"}
            assert made["metadata"]["ownerReferences"] == [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": "web",
                    "uid": "web-uid",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ]
            assert world.api.all("replicasets")[0]["status"] == {
                "replicas": 3,
                "fullyLabeledReplicas": 3,
                "readyReplicas": 3,
                "availableReplicas": 3,
                "terminatingReplicas": 0,
                "observedGeneration": 1,
            }
            world.api.remove("pods", made["metadata"]["name"])
            await world.settle()
            assert len(world.pods()) == 3
            world.api.edit("replicasets", "web", lambda rs: rs["spec"].update(replicas=1))
            await world.settle()
            assert len(world.pods()) == 1
            reasons = [reason for reason, _ in world.events()]
            assert reasons.count("SuccessfulCreate") == 4 and reasons.count("SuccessfulDelete") == 2

    virtual.run(main())


def test_replication_controllers_do_the_same() -> None:
    async def main() -> None:
        world = World(loop.replication_controllers)
        controller = replica_set("web", 2, api_version="v1", kind="ReplicationController")
        controller["spec"]["selector"] = {"app": "web"}
        world.api.put("replicationcontrollers", controller)
        async with world.running():
            await world.settle()
            assert len(world.pods()) == 2
            assert world.pods()[0]["metadata"]["ownerReferences"][0]["kind"] == "ReplicationController"
            assert world.api.all("replicationcontrollers")[0]["status"]["readyReplicas"] == 2

    virtual.run(main())


def test_matching_orphans_are_adopted_and_strangers_released() -> None:
    async def main() -> None:
        world = World(loop.replica_sets)
        web = replica_set("web", 2)
        world.api.put("pods", pod("orphan", app="web"))
        world.api.put("replicasets", web)
        async with world.running():
            await world.settle()
            assert len(world.pods()) == 2
            adopted = next(each for each in world.pods() if each["metadata"]["name"] == "orphan")
            assert adopted["metadata"]["ownerReferences"][0]["uid"] == "web-uid"
            world.api.edit("pods", "orphan", lambda p: p["metadata"].update(labels={"app": "other"}))
            await world.settle()
            released = next(each for each in world.pods() if each["metadata"]["name"] == "orphan")
            assert "ownerReferences" not in released["metadata"]
            assert len(world.pods()) == 3

    virtual.run(main())


def test_a_refused_creation_stops_the_batch_and_is_told() -> None:
    async def main() -> None:
        world = World(loop.replica_sets)
        tries = []

        def quota(request: Request) -> None:
            if request.method == "POST" and request.path.endswith("/pods"):
                tries.append(request)
                raise ApiError(403, "Forbidden", 'pods "web-" is forbidden: exceeded quota: q')

        world.api.fault = quota
        world.api.put("replicasets", replica_set("web", 100))
        async with world.running():
            await world.settle(0.01)
            assert 1 <= len(tries) <= 3
            [condition] = world.api.all("replicasets")[0]["status"]["conditions"]
            assert (condition["type"], condition["status"], condition["reason"]) == (
                "ReplicaFailure",
                "True",
                "FailedCreate",
            )
            assert condition["message"] == 'pods "web-" is forbidden: exceeded quota: q'
            world.api.fault = lambda request: None
            await world.settle(30)
            assert len(world.pods()) == 100
            assert "conditions" not in world.api.all("replicasets")[0]["status"]
            assert ("FailedCreate", 'Error creating: pods "web-" is forbidden: exceeded quota: q') in world.events()

    virtual.run(main())


def test_refusals_that_differ_in_words_are_tried_ever_more_seldom() -> None:
    async def main() -> None:
        world = World(loop.replica_sets)
        tries = []

        def quota(request: Request) -> None:
            if request.method == "POST" and request.path.endswith("/pods"):
                tries.append(request)
                raise ApiError(403, "Forbidden", f'pods "web-{len(tries)}" is forbidden: exceeded quota: q')

        world.api.fault = quota
        world.api.put("replicasets", replica_set("web", 1))
        async with world.running():
            await world.settle(5)
            assert 8 <= len(tries) <= 12, "5 ms, then twice as long each time"
            [condition] = world.api.all("replicasets")[0]["status"]["conditions"]
            assert condition["message"] == 'pods "web-1" is forbidden: exceeded quota: q'

    virtual.run(main())


def test_an_unsure_creation_is_not_repeated_before_the_pod_may_be_seen() -> None:
    async def main() -> None:
        world = World(loop.replica_sets)
        lost = []
        send = world.api.send

        async def lose_one_answer(request: Request):  # type: ignore[no-untyped-def]
            response = await send(request)
            if request.method == "POST" and request.path.endswith("/pods") and not lost:
                lost.append(request)
                raise EdgeError("POST", request.path, "connection reset", outcome=Outcome.UNKNOWN)
            return response

        world.api.send = lose_one_answer  # type: ignore[method-assign]
        world.api.put("replicasets", replica_set("web", 2))
        async with world.running():
            await world.settle()
            assert len(world.pods()) == 2 and len(lost) == 1

    virtual.run(main())


def test_a_creation_that_was_lost_on_the_way_is_repeated_without_any_event() -> None:
    async def main() -> None:
        world = World(loop.replica_sets)
        send, lost = world.api.send, list[Request]()

        async def lose_one_request(request: Request):  # type: ignore[no-untyped-def]
            if request.method == "POST" and request.path.endswith("/pods") and not lost:
                lost.append(request)
                raise EdgeError("POST", request.path, "connection reset", outcome=Outcome.UNKNOWN)
            return await send(request)

        world.api.send = lose_one_request  # type: ignore[method-assign]
        world.api.put("replicasets", replica_set("web", 1))
        async with world.running():
            await world.settle(20)
            assert len(world.pods()) == 1 and len(lost) == 1

    virtual.run(main())


def test_pods_become_available_by_time_alone() -> None:
    async def main() -> None:
        world = World(loop.replica_sets)
        web = replica_set("web", 1)
        web["spec"]["minReadySeconds"] = 30
        world.api.put("replicasets", web)
        async with world.running():
            await world.settle(20)
            status = world.api.all("replicasets")[0]["status"]
            assert status["readyReplicas"] == 1 and "availableReplicas" not in status
            await world.settle(20)
            assert world.api.all("replicasets")[0]["status"]["availableReplicas"] == 1

    virtual.run(main())


def test_it_survives_an_api_server_that_dies() -> None:
    async def main() -> None:
        world = World(loop.replica_sets)
        world.api.put("replicasets", replica_set("web", 3))
        async with world.running():
            await world.settle()
            world.api.down = True
            world.api.cut_watches()
            world.kubelet_on = False
            for each in world.pods():
                world.api.remove("pods", each["metadata"]["name"])
            await world.settle(60)
            world.api.down, world.kubelet_on = False, True
            await world.settle(60)
            assert len(world.pods()) == 3

    virtual.run(main())


def test_in_a_namespace_that_is_being_deleted_no_pod_is_tried() -> None:
    async def main() -> None:
        world = World(loop.replica_sets)
        metadata = {"name": "default", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["test/held"]}
        world.api.put("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        world.api.put("replicasets", replica_set("web", 3))
        async with world.running():
            await world.settle()
            assert world.pods() == []
            assert world.api.all("replicasets")[0]["status"]["replicas"] == 0

    virtual.run(main())
