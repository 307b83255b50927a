"""PodDisruptionBudgets: their life, their status, and evictions that they stop."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.rows.lab import SLEEP, Lab, Object, name_of, names_of
from tests.e2e.rows.test_rows_replicasets import owner

from cybernetes.base.clock import SystemClock, rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.client.api import PatchType
from cybernetes.client.target import POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS

_LABELS = {"foo": "bar"}


def budget(name: str, **spec: Any) -> Object:
    return {"metadata": {"name": name, "labels": _LABELS}, "spec": {"selector": {"matchLabels": _LABELS}, **spec}}


async def make(lab: Lab, name: str, **spec: Any) -> None:
    await lab.make(POD_DISRUPTION_BUDGETS, budget(name, **spec))
    await until_processed(lab, name)


async def until_processed(lab: Lab, name: str) -> Object:
    def processed(live: Object) -> bool:
        return live.get("status", {}).get("observedGeneration", 0) >= live["metadata"]["generation"]

    return await lab.until_object(POD_DISRUPTION_BUDGETS, name, processed, "the budget is processed")


async def until_healthy(lab: Lab, name: str, count: int) -> None:
    await lab.until_object(
        POD_DISRUPTION_BUDGETS, name, lambda b: b["status"]["currentHealthy"] == count, f"{count} healthy"
    )


async def evict(lab: Lab, name: str) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": lab.namespace}}
    await lab.client.create(PODS, body, namespace=lab.namespace, name=name, subresource="eviction")


async def assert_refused(lab: Lab, name: str) -> None:
    with pytest.raises(ApiError) as refused:
        await evict(lab, name)
    assert (refused.value.code, refused.value.reason) == (429, "TooManyRequests")
    assert refused.value.details is not None
    assert [each["reason"] for each in refused.value.details["causes"]] == ["DisruptionBudget"]


async def test_budgets_are_made_updated_patched_and_deleted(lab: Lab) -> None:
    await make(lab, "foo", minAvailable="1%")
    await lab.edit(POD_DISRUPTION_BUDGETS, "foo", lambda b: b["spec"].update(minAvailable="2%"))
    assert (await until_processed(lab, "foo"))["spec"]["minAvailable"] == "2%"
    patched = await lab.patch(POD_DISRUPTION_BUDGETS, "foo", {"spec": {"minAvailable": "3%"}}, PatchType.STRATEGIC)
    assert patched["spec"]["minAvailable"] == "3%"
    await until_processed(lab, "foo")
    await lab.delete(POD_DISRUPTION_BUDGETS, "foo")
    await lab.until_gone(POD_DISRUPTION_BUDGETS, "foo")


async def test_a_collection_of_budgets_is_listed_and_deleted(lab: Lab) -> None:
    for each in ("foo", "foo2"):
        await make(lab, each, minAvailable=1)
    everywhere = await lab.list(POD_DISRUPTION_BUDGETS, "foo=bar", everywhere=True)
    assert {"foo", "foo2"} <= set(names_of(everywhere))
    await lab.delete_all(POD_DISRUPTION_BUDGETS, "foo=bar")
    assert await lab.list(POD_DISRUPTION_BUDGETS) == []


async def test_status_of_a_budget_follows_pods(lab: Lab) -> None:
    await make(lab, "seen", minAvailable=1)
    await lab.make(REPLICA_SETS, owner(REPLICA_SETS, "rs", 1, _LABELS, command=SLEEP))
    await until_healthy(lab, "seen", 1)


async def test_status_of_a_budget_is_updated_and_patched(lab: Lab) -> None:
    await make(lab, "told", minAvailable=1)
    await lab.make(REPLICA_SETS, owner(REPLICA_SETS, "rs", 1, _LABELS, command=SLEEP))
    await until_healthy(lab, "told", 1)
    (found,) = await lab.pods()
    now = rfc3339(SystemClock().now())
    disrupted = {name_of(found): now}
    updated = await lab.edit(
        POD_DISRUPTION_BUDGETS, "told", lambda b: b["status"].update(disruptedPods=disrupted), "status"
    )
    assert updated["status"]["disruptedPods"] == disrupted
    cleared = {"metadata": {"annotations": {"a": "b"}}, "status": {"disruptedPods": None}}
    patched = await lab.patch(POD_DISRUPTION_BUDGETS, "told", cleared, PatchType.MERGE, "status")
    assert not patched["status"].get("disruptedPods")


async def test_an_eviction_is_blocked_until_the_budget_allows_it(lab: Lab) -> None:
    await lab.make(REPLICA_SETS, owner(REPLICA_SETS, "rs", 3, _LABELS, command=SLEEP))
    victim, second, _ = await lab.until_ready("foo=bar", 3)
    await make(lab, "block", minAvailable=3)
    await until_healthy(lab, "block", 3)
    await assert_refused(lab, name_of(victim))
    await lab.edit(POD_DISRUPTION_BUDGETS, "block", lambda b: b["spec"].update(minAvailable=2))
    await until_processed(lab, "block")
    await lab.until_object(
        POD_DISRUPTION_BUDGETS, "block", lambda b: b["status"]["disruptionsAllowed"] == 1, "one may go"
    )
    await evict(lab, name_of(victim))
    await lab.until_gone(PODS, name_of(victim))
    await lab.until_ready("foo=bar", 3)
    patch = {"spec": {"minAvailable": None, "maxUnavailable": 0}}
    await lab.patch(POD_DISRUPTION_BUDGETS, "block", patch)
    await until_processed(lab, "block")
    await assert_refused(lab, name_of(second))
    await lab.delete(POD_DISRUPTION_BUDGETS, "block")
    await lab.until_gone(POD_DISRUPTION_BUDGETS, "block")
    await evict(lab, name_of(second))


async def test_pods_that_are_not_healthy_go_where_the_policy_lets_them(lab: Lab) -> None:
    unhealthy = owner(REPLICA_SETS, "rs", 2, _LABELS)
    unhealthy["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": ["false"]}}
    await lab.make(REPLICA_SETS, unhealthy)
    await make(lab, "strict", minAvailable=2)

    async def running() -> list[Object] | None:
        found = await lab.pods()
        return found if len(found) == 2 and all(each["status"]["phase"] == "Running" for each in found) else None

    first, _ = await lab.until(running, "two pods run")
    await assert_refused(lab, name_of(first))
    await lab.edit(
        POD_DISRUPTION_BUDGETS, "strict", lambda b: b["spec"].update(unhealthyPodEvictionPolicy="AlwaysAllow")
    )
    await until_processed(lab, "strict")
    await evict(lab, name_of(first))
