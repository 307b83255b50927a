"""StatefulSets: order, identity, storage, rollouts."""

from __future__ import annotations

from typing import Any

import pytest
import virtual
from world import World, template

from cybernetes.controllers.statefulset.identity import ordinal_of
from cybernetes.controllers.statefulset.loop import StatefulSetController

Object = dict[str, Any]


@pytest.mark.parametrize(
    ("name", "ordinal"), [("db-0", 0), ("db-12", 12), ("db-01", None), ("db-x", None), ("other-0", None), ("db", None)]
)
def test_the_number_of_a_pod(name: str, ordinal: int | None) -> None:
    assert ordinal_of("db", name) == ordinal


def stateful_set(replicas: int = 3, **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "default", "uid": "db-uid"},
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": template(app="db"),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            **spec,
        },
    }


CLAIMS = [
    {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
]


def names(w: World) -> list[str]:
    return [each["metadata"]["name"] for each in w.pods()]


def images(w: World) -> dict[str, str]:
    return {each["metadata"]["name"]: each["spec"]["containers"][0]["image"] for each in w.pods()}


def change_image(image: str) -> Any:
    return lambda s: s["spec"]["template"]["spec"]["containers"][0].update(image=image)


def test_pods_come_in_order_with_names_labels_and_claims() -> None:
    async def main() -> None:
        w = World(StatefulSetController)
        w.kubelet_on = False
        w.api.put("statefulsets", stateful_set(volumeClaimTemplates=CLAIMS))
        async with w.running():
            await w.settle()
            assert names(w) == ["db-0"], "the next waits until it is ready"
            w.kubelet_on = True
            await w.settle()
            assert names(w) == ["db-0", "db-1", "db-2"]
            second = w.pods()[1]
            revision = w.api.all("controllerrevisions")[0]["metadata"]["name"]
            assert second["metadata"]["labels"] == {
                "app": "db",
                "statefulset.kubernetes.io/pod-name": "db-1",
                "apps.kubernetes.io/pod-index": "1",
                "controller-revision-hash": revision,
            }
            assert second["spec"]["hostname"] == "db-1" and second["spec"]["subdomain"] == "db"
            assert second["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1"}}]
            claims = w.api.all("persistentvolumeclaims")
            assert [each["metadata"]["name"] for each in claims] == ["data-db-0", "data-db-1", "data-db-2"]
            assert claims[0]["metadata"]["labels"] == {"app": "db"} and "ownerReferences" not in claims[0]["metadata"]
            assert w.api.all("statefulsets")[0]["status"] == {
                "observedGeneration": 1,
                "replicas": 3,
                "readyReplicas": 3,
                "availableReplicas": 3,
                "currentReplicas": 3,
                "updatedReplicas": 3,
                "currentRevision": revision,
                "updateRevision": revision,
                "collisionCount": 0,
            }
            assert ("SuccessfulCreate", "create Pod db-0 in StatefulSet db successful") in w.events()
            assert ("SuccessfulCreate", "create Claim data-db-0 Pod db-0 in StatefulSet db success") in w.events()
            w.api.edit("statefulsets", "db", lambda s: s["spec"].update(replicas=1))
            await w.settle()
            assert names(w) == ["db-0"]
            assert len(w.api.all("persistentvolumeclaims")) == 3

    virtual.run(main())


def test_parallel_sets_do_not_wait() -> None:
    async def main() -> None:
        w = World(StatefulSetController)
        w.kubelet_on = False
        w.api.put("statefulsets", stateful_set(podManagementPolicy="Parallel", ordinals={"start": 5}))
        async with w.running():
            await w.settle()
            assert names(w) == ["db-5", "db-6", "db-7"]

    virtual.run(main())


def test_a_rollout_goes_down_from_the_top_and_stops_at_the_partition() -> None:
    async def main() -> None:
        w = World(StatefulSetController)
        w.api.put("statefulsets", stateful_set())
        order: list[str] = []
        async with w.running():
            await w.settle()
            run = w.becomes
            w.becomes = lambda pod: (order.append(pod["metadata"]["name"]), run(pod))  # type: ignore[assignment,func-returns-value]
            strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
            w.api.edit("statefulsets", "db", lambda s: s["spec"].update(updateStrategy=strategy))
            w.api.edit("statefulsets", "db", change_image("app:2"))
            await w.settle(10)
            assert order == ["db-2", "db-1"]
            assert images(w) == {"db-0": "app:1", "db-1": "app:2", "db-2": "app:2"}
            status = w.api.all("statefulsets")[0]["status"]
            assert (status["currentReplicas"], status["updatedReplicas"]) == (1, 2)
            w.api.remove("pods", "db-0")
            await w.settle()
            assert images(w)["db-0"] == "app:1", "below the partition pods come back as they were"
            strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
            w.api.edit("statefulsets", "db", lambda s: s["spec"].update(updateStrategy=strategy))
            await w.settle(10)
            status = w.api.all("statefulsets")[0]["status"]
            assert status["currentRevision"] == status["updateRevision"] and set(images(w).values()) == {"app:2"}

    virtual.run(main())


def test_ended_pods_are_made_anew_and_on_delete_sets_wait() -> None:
    async def main() -> None:
        w = World(StatefulSetController)
        w.api.put("statefulsets", stateful_set(2, updateStrategy={"type": "OnDelete"}))
        async with w.running():
            await w.settle()
            uid = w.pods()[0]["metadata"]["uid"]
            w.api.edit("pods", "db-0", lambda p: p["status"].update(phase="Failed"))
            await w.settle()
            assert names(w) == ["db-0", "db-1"] and w.pods()[0]["metadata"]["uid"] != uid
            w.api.edit("statefulsets", "db", change_image("app:2"))
            await w.settle()
            assert set(images(w).values()) == {"app:1"}
            w.api.remove("pods", "db-1")
            await w.settle()
            assert images(w) == {"db-0": "app:1", "db-1": "app:2"}

    virtual.run(main())


def test_claims_are_owned_as_the_retention_policy_says() -> None:
    async def main() -> None:
        w = World(StatefulSetController)
        policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
        w.api.put(
            "statefulsets",
            stateful_set(2, volumeClaimTemplates=CLAIMS, persistentVolumeClaimRetentionPolicy=policy),
        )

        def owner(number: int) -> tuple[str, str]:
            [reference] = w.api.all("persistentvolumeclaims")[number]["metadata"]["ownerReferences"]
            assert reference["controller"] and reference["blockOwnerDeletion"]
            return reference["kind"], reference["name"]

        async with w.running():
            await w.settle()
            assert owner(0) == owner(1) == ("StatefulSet", "db")
            w.kubelet_on = False
            w.api.edit("statefulsets", "db", lambda s: s["spec"].update(replicas=1))
            await w.settle()
            assert owner(0) == ("StatefulSet", "db") and owner(1) == ("Pod", "db-1")
            other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "mine", "uid": "u", "controller": True}
            w.api.edit("persistentvolumeclaims", "data-db-0", lambda c: c["metadata"].update(ownerReferences=[other]))
            w.api.edit("statefulsets", "db", lambda s: s["metadata"].update(labels={"synced": "again"}))
            await w.settle()
            assert w.api.all("persistentvolumeclaims")[0]["metadata"]["ownerReferences"] == [other]

    virtual.run(main())
