"""Budgets, aggregated roles, protection of storage, service ranges."""

from __future__ import annotations

from typing import Any

import pytest
import virtual
from world import World, pod, replica_set, view_of

from cybernetes.base.clock import rfc3339
from cybernetes.controllers.clusterroleaggregation.loop import ClusterRoleAggregationController
from cybernetes.controllers.disruption import plan
from cybernetes.controllers.disruption.loop import DisruptionController
from cybernetes.controllers.disruption.plan import Budget, Expected
from cybernetes.controllers.protection.attributes import AttributesClassProtection
from cybernetes.controllers.protection.loop import ClaimProtection, VolumeProtection
from cybernetes.controllers.replicaset import loop as replicaset
from cybernetes.controllers.servicecidr.loop import SERVICE_CIDRS, ServiceCidrController

Object = dict[str, Any]


def budget(**spec: Any) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
    }


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"minAvailable": 2}, Expected(4, 2)),
        ({"minAvailable": "50%"}, Expected(5, 3)),
        ({"maxUnavailable": 1}, Expected(5, 4)),
        ({"maxUnavailable": "30%"}, Expected(5, 3)),
        ({"maxUnavailable": 9}, Expected(5, 0)),
    ],
)
def test_how_many_pods_must_be_healthy(spec: Object, wanted: Expected) -> None:
    assert plan.expected(view_of(budget(**spec), Budget), matching=4, scale=5) == wanted


def test_a_budget_follows_its_pods() -> None:
    async def main() -> None:
        w = World(DisruptionController, replicaset.replica_sets)
        w.api.put("poddisruptionbudgets", budget(maxUnavailable=1))
        w.api.put("replicasets", replica_set("web", 3))

        def status() -> Object:
            found: Object = w.api.all("poddisruptionbudgets")[0]["status"]
            return found

        async with w.running():
            await w.settle()
            found = status()
            assert [found[n] for n in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")] == [
                1,
                3,
                2,
                3,
            ]
            [condition] = found["conditions"]
            assert (condition["status"], condition["reason"]) == ("True", "SufficientPods")
            name = w.pods()[0]["metadata"]["name"]
            w.api.edit("pods", name, lambda p: p["status"]["conditions"][0].update(status="False"))
            await w.settle()
            assert status()["disruptionsAllowed"] == 0 and status()["conditions"][0]["reason"] == "InsufficientPods"
            w.api.edit("pods", name, lambda p: p["status"]["conditions"][0].update(status="True"))
            granted = {name: rfc3339(w.clock.now())}
            w.api.edit("poddisruptionbudgets", "web", lambda b: b["status"].update(disruptedPods=granted))
            await w.settle()
            assert status()["currentHealthy"] == 2, "an eviction was granted"
            await w.settle(130)
            assert status()["currentHealthy"] == 3 and not status().get("disruptedPods")
            assert any(reason == "NotDeleted" for reason, _ in w.events())

    virtual.run(main())


def owned(name: str, **owner: str) -> Object:
    found = pod(name, app="web")
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "u", **owner}
    found["metadata"]["ownerReferences"] = [{**reference, "controller": True}]
    return found


UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{app: web,},"
    "MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged. As a result, the status of the PDB "
    "cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set "
    '".spec.minAvailable" field of the PDB to an integer value.'
)
FAILED = "Failed to calculate the number of expected pods: "
GONE = 'found no controllers for pod "p"'
NO_SCALE = "jobs.batch does not implement the scale subresource"


@pytest.mark.parametrize(
    ("found", "reason", "message", "told"),
    [
        (pod("p", app="web"), "UnmanagedPods", UNMANAGED, ("InsufficientPods", "")),
        (owned("p"), "CalculateExpectedPodCountFailed", FAILED + GONE, ("SyncFailed", GONE)),
        (
            owned("p", apiVersion="batch/v1", kind="Job"),
            *("CalculateExpectedPodCountFailed", FAILED + NO_SCALE, ("SyncFailed", NO_SCALE)),
        ),
    ],
    ids=["unmanaged", "without its controller", "of no scale"],
)
def test_pods_of_nobody_make_a_share_unknowable(
    found: Object, reason: str, message: str, told: tuple[str, str]
) -> None:
    async def main() -> None:
        w = World(DisruptionController)
        w.api.put("poddisruptionbudgets", budget(minAvailable="50%"))
        w.api.put("pods", found)
        async with w.running():
            await w.settle()
            status = w.api.all("poddisruptionbudgets")[0]["status"]
            assert status["disruptionsAllowed"] == 0
            [condition] = status["conditions"]
            assert (condition["reason"], condition["message"]) == told
            assert (reason, message) in w.events()

    virtual.run(main())


def test_another_writers_conditions_of_a_budget_stay_where_they_are() -> None:
    others = [{"type": name, "status": "True", "reason": "R", "message": ""} for name in "ab"]
    stale = {"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods", "message": ""}
    found = {**budget(minAvailable=1), "status": {"conditions": [others[0], stale, others[1]]}}
    view = view_of(found, Budget)
    after = plan.as_json(plan.status(view, Expected(1, 1), 1, {}, 0))["conditions"]
    assert [(each["type"], each["status"]) for each in after] == [
        ("a", "True"),
        ("DisruptionAllowed", "False"),
        ("b", "True"),
    ]
    failed = plan.failed(view, "why", 0)
    assert [each.type for each in failed.conditions] == ["a", "DisruptionAllowed", "b"]


def target_of(found: Object) -> Object:
    [told] = [each for each in found["status"]["conditions"] if each["type"] == "DisruptionTarget"]
    return dict(told)


@pytest.mark.parametrize(("reason", "status"), [("PreemptionByScheduler", "False"), ("TerminationByKubelet", "True")])
def test_a_pod_that_was_not_disrupted_is_no_target_any_more(reason: str, status: str) -> None:
    async def main() -> None:
        w = World(DisruptionController)
        w.api.put("pods", pod("p"))
        async with w.running():
            await w.settle()
            told = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "why"}
            told["lastTransitionTime"] = rfc3339(w.clock.now())
            w.api.edit("pods", "p", lambda found: found["status"]["conditions"].append(told))
            await w.settle(100)
            assert target_of(w.pods()[0])["status"] == "True"
            await w.settle(30)
            found = target_of(w.pods()[0])
            assert found["status"] == status
            assert bool(found.get("reason")) == (status == "True")
            # Whoever told it may have said no time.
            timeless = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": None}
            w.api.put("pods", pod("q"))
            await w.settle()
            w.api.edit("pods", "q", lambda found: found["status"]["conditions"].append(timeless))
            await w.settle()
            assert target_of(w.pods()[1])["status"] == "False"

    virtual.run(main())


def test_ended_pods_are_counted_among_those_that_exist() -> None:
    async def main() -> None:
        w = World(DisruptionController)
        w.becomes = lambda found: found["status"].update(phase="Succeeded")
        w.api.put("poddisruptionbudgets", budget(minAvailable=1))
        w.api.put("pods", pod("p", app="web"))
        async with w.running():
            await w.settle()
            status = w.api.all("poddisruptionbudgets")[0]["status"]
            assert (status["expectedPods"], status["currentHealthy"]) == (1, 0)

    virtual.run(main())


def role(name: str, rules: list[Object], aggregate: str = "", **labels: str) -> Object:
    found: Object = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels},
        "rules": rules,
    }
    if aggregate:
        found["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {aggregate: "true"}}]}
    return found


def test_aggregated_roles_hold_the_union() -> None:
    async def main() -> None:
        read = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
        write = {"apiGroups": [""], "resources": ["pods"], "verbs": ["update"]}
        w = World(ClusterRoleAggregationController)
        w.api.put("clusterroles", role("all", [], aggregate="to-all"))
        w.api.put("clusterroles", role("b", [write], **{"to-all": "true"}))
        w.api.put("clusterroles", role("a", [read, write], **{"to-all": "true"}))
        w.api.put("clusterroles", role("c", [{"verbs": ["*"]}]))

        def rules() -> list[Object]:
            found: list[Object] = next(r for r in w.api.all("clusterroles") if r["metadata"]["name"] == "all")["rules"]
            return found

        async with w.running():
            await w.settle()
            assert rules() == [read, write]
            w.api.remove("clusterroles", "a")
            await w.settle()
            assert rules() == [write]

    virtual.run(main())


def claim(name: str, **metadata: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default", **metadata},
    }


def test_a_claim_goes_when_its_last_pod_has_ended() -> None:
    async def main() -> None:
        w = World(ClaimProtection)
        w.api.put("persistentvolumeclaims", claim("data"))
        user = pod("user")
        user["spec"]["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
        w.api.put("pods", user)
        async with w.running():
            await w.settle()
            [live] = w.api.all("persistentvolumeclaims")
            assert live["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
            leaving = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
            w.api.edit("persistentvolumeclaims", "data", lambda c: c["metadata"].update(leaving))
            await w.settle()
            assert len(w.api.all("persistentvolumeclaims")) == 1
            w.api.edit("pods", "user", lambda p: p["status"].update(phase="Succeeded"))
            await w.settle()
            assert w.api.all("persistentvolumeclaims") == []

    virtual.run(main())


def test_a_volume_goes_when_it_is_not_bound() -> None:
    async def main() -> None:
        w = World(VolumeProtection)
        volume = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "pv"},
            "status": {"phase": "Bound"},
        }
        w.api.put("persistentvolumes", volume)
        async with w.running():
            await w.settle()
            leaving = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
            w.api.edit("persistentvolumes", "pv", lambda v: v["metadata"].update(leaving))
            await w.settle()
            assert len(w.api.all("persistentvolumes")) == 1
            w.api.edit("persistentvolumes", "pv", lambda v: v["status"].update(phase="Released"))
            await w.settle()
            assert w.api.all("persistentvolumes") == []

    virtual.run(main())


def test_a_class_of_attributes_goes_when_nothing_names_it() -> None:
    async def main() -> None:
        w = World(AttributesClassProtection)
        classes, finalizers = "volumeattributesclasses", ["kubernetes.io/vac-protection"]
        leaving = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": finalizers}
        for name in ("unused", "used"):
            metadata = {"name": name, **leaving}
            w.api.put(
                classes, {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttributesClass", "metadata": metadata}
            )
        user = {**claim("data"), "status": {"currentVolumeAttributesClassName": "used"}}
        w.api.put("persistentvolumeclaims", user)
        async with w.running():
            await w.settle()
            assert [each["metadata"]["name"] for each in w.api.all(classes)] == ["used"]
            w.api.remove("persistentvolumeclaims", "data")
            await w.settle()
            assert w.api.all(classes) == []

    virtual.run(main())


def test_a_service_range_goes_when_its_addresses_are_elsewhere() -> None:
    async def main() -> None:
        w = World(ServiceCidrController)

        def put(plural: str, kind: str, name: str, spec: Object) -> None:
            metadata = {"name": name}
            w.api.put(plural, {"apiVersion": "networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec})

        def ready(name: str) -> tuple[str, str]:
            live = next(each for each in w.api.all("servicecidrs") if each["metadata"]["name"] == name)
            [told] = live["status"]["conditions"]
            return told["status"], told["reason"]

        put("servicecidrs", "ServiceCIDR", "extra", {"cidrs": ["10.1.0.0/24"]})
        put("ipaddresses", "IPAddress", "10.1.0.7", {})
        async with w.running():
            await w.settle()
            assert ready("extra") == ("True", "")
            await w.client.delete(SERVICE_CIDRS, "extra")
            await w.settle(20)
            assert ready("extra") == ("False", "Terminating")
            put("servicecidrs", "ServiceCIDR", "wider", {"cidrs": ["10.1.0.0/16"]})
            await w.settle(20)
            assert [each["metadata"]["name"] for each in w.api.all("servicecidrs")] == ["wider"]

    virtual.run(main())
