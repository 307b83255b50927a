"""Where pods go, where they can't, and whom they displace."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e.rows.lab import SLEEP, Lab, Object, condition, is_ready, name_of, names_of, pod
from tests.e2e.rows.test_rows_objects import LIMIT_RANGES, PRIORITY_CLASSES
from tests.e2e.rows.test_rows_replicasets import owner

from cybernetes.base.errors import ApiError
from cybernetes.client.api import PatchType
from cybernetes.client.target import NODES, PODS, REPLICA_SETS
from cybernetes.model import quantity

# An extended resource of a node belongs to nobody else, so that tests fill it as upstream's do.
SCARCE = "scheduling.test.cybernetes/scarce"


def sized(name: str, resource: str, amount: str, **more: Any) -> Object:
    amounts = {"requests": {resource: amount}, "limits": {resource: amount}}
    return pod(name, command=SLEEP, container={"resources": amounts}, **more)


async def until_unschedulable(lab: Lab, name: str) -> str:
    def told(live: Object) -> bool:
        return condition(live, "PodScheduled").get("reason") == "Unschedulable"

    live = await lab.until_object(PODS, name, told, f"{name} is unschedulable")
    return str(condition(live, "PodScheduled")["message"])


# What a client in Go sends along, because it writes whole structs.
_ZEROES: Object = {
    "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
    "nodeInfo": dict.fromkeys(
        ("machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
         "kubeProxyVersion", "operatingSystem", "architecture"), ""),
}  # fmt: skip


async def offer(lab: Lab, node: str, resource: str, amount: str) -> None:
    """Give a node an extended resource, as an administrator can."""
    amounts = {resource: amount}
    patch = {
        "metadata": {"creationTimestamp": None},
        "spec": {},
        "status": {"capacity": amounts, "allocatable": amounts, **_ZEROES},
    }
    await lab.client.patch(NODES, node, patch, PatchType.STRATEGIC, subresource="status")

    def tells(live: Object) -> bool:
        told = [live["status"][each].get(resource) for each in ("capacity", "allocatable")]
        return all(each and quantity.compare(each, amount) == 0 for each in told)

    await lab.until_object(NODES, node, tells, "the node tells")


async def withdraw(lab: Lab, node: str, resource: str) -> None:
    escaped = resource.replace("/", "~1")
    patch = [{"op": "remove", "path": f"/status/{each}/{escaped}"} for each in ("capacity", "allocatable")]
    await lab.client.patch(NODES, node, patch, PatchType.JSON, subresource="status")
    await lab.until_object(NODES, node, lambda n: resource not in n["status"]["allocatable"], "the node tells")


async def test_there_are_two_nodes_without_taints(lab: Lab) -> None:
    usable = [each for each in await lab.nodes() if not each["spec"].get("taints") and is_ready(each)]
    assert len(usable) >= 2


async def test_defaults_of_a_limit_range_are_applied(lab: Lab) -> None:
    limits = {
        "type": "Container",
        "min": {"cpu": "50m", "memory": "100Mi"},
        "max": {"cpu": "500m", "memory": "500Mi"},
        "default": {"cpu": "500m", "memory": "500Mi"},
        "defaultRequest": {"cpu": "100m", "memory": "200Mi"},
    }
    async with lab.watching(LIMIT_RANGES) as events:
        await lab.make(LIMIT_RANGES, {"metadata": {"name": "range"}, "spec": {"limits": [limits]}})
        await events.until("ADDED")
    made = await lab.make(PODS, pod("plain", command=SLEEP))
    resources = made["spec"]["containers"][0]["resources"]
    assert resources == {"limits": limits["default"], "requests": limits["defaultRequest"]}
    partly = await lab.make(
        PODS,
        pod(
            "partly",
            command=SLEEP,
            container={"resources": {"requests": {"cpu": "150m"}, "limits": {"memory": "300Mi"}}},
        ),
    )
    assert partly["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "150m", "memory": "300Mi"},
        "limits": {"cpu": "500m", "memory": "300Mi"},
    }
    for cpu in ("10m", "600m"):
        with pytest.raises(ApiError) as refused:
            await lab.make(PODS, sized("wrong", "cpu", cpu))
        assert refused.value.code == 403
    await lab.edit(LIMIT_RANGES, "range", lambda r: r["spec"]["limits"][0]["min"].update(cpu="9m"))
    await lab.until(lambda: _made(lab, sized("small", "cpu", "10m")), "the new minimum holds", 20)
    await lab.delete(LIMIT_RANGES, "range")
    await lab.until(lambda: _made(lab, sized("large", "cpu", "600m")), "no limits hold", 20)


async def _made(lab: Lab, wanted: Object) -> bool:
    try:
        await lab.make(PODS, wanted)
    except ApiError as error:
        assert error.code == 403
        return False
    return True


async def test_resources_limit_what_runs_on_a_node(lab: Lab) -> None:
    """Seven tenths of each node's free CPU are taken; a pod that wants half of the largest finds no place."""
    free: dict[str, int] = {
        each["metadata"]["name"]: _milli(each["status"]["allocatable"]["cpu"]) for each in await lab.nodes()
    }
    for each in await lab.list(PODS, everywhere=True):
        if each["spec"].get("nodeName") and each["status"]["phase"] not in ("Succeeded", "Failed"):
            for container in each["spec"]["containers"]:
                free[each["spec"]["nodeName"]] -= _milli(
                    container.get("resources", {}).get("requests", {}).get("cpu", "0")
                )
    for n, (node, milli) in enumerate(sorted(free.items())):
        await lab.make(
            PODS, sized(f"filler-{n}", "cpu", f"{milli * 7 // 10}m", nodeSelector={"kubernetes.io/hostname": node})
        )
        await lab.until_object(PODS, f"filler-{n}", is_ready, "a filler runs")
    await lab.make(PODS, sized("more", "cpu", f"{max(free.values()) * 5 // 10}m"))
    message = await until_unschedulable(lab, "more")
    assert "Insufficient cpu" in message and message.startswith("0/2 nodes are available")
    assert await lab.events("FailedScheduling")


def _milli(amount: str) -> int:
    return int(quantity.nano(amount) // 10**6)


async def test_a_selector_that_matches_chooses_the_node(lab: Lab) -> None:
    node, key = names_of(await lab.nodes())[1], f"kubernetes.io/e2e-{lab.namespace}"
    await lab.client.patch(NODES, node, {"metadata": {"labels": {key: "42"}}}, PatchType.MERGE)
    live = await lab.run_pod("chosen", command=SLEEP, nodeSelector={key: "42"})
    assert live["spec"]["nodeName"] == node
    await lab.client.patch(NODES, node, {"metadata": {"labels": {key: None}}}, PatchType.MERGE)


async def test_a_selector_that_matches_nothing_keeps_a_pod_waiting(lab: Lab) -> None:
    await lab.make(PODS, pod("restricted", command=SLEEP, nodeSelector={"label": "nonempty"}))
    assert "didn't match Pod's node affinity/selector" in await until_unschedulable(lab, "restricted")


async def test_host_ports_conflict_where_one_is_for_all_addresses(lab: Lab) -> None:
    node = names_of(await lab.nodes())[0]
    selector = {"kubernetes.io/hostname": node}
    port = {"containerPort": 80, "hostPort": 54322, "protocol": "TCP"}
    await lab.run_pod("pod4", command=SLEEP, nodeSelector=selector, ports=({**port, "hostIP": ""},))
    await lab.make(PODS, pod("pod5", command=SLEEP, nodeSelector=selector, ports=({**port, "hostIP": "127.0.0.1"},)))
    assert "didn't have free ports" in await until_unschedulable(lab, "pod5")


async def _classes(lab: Lab, **values: int) -> None:
    for name, value in values.items():
        await lab.make(PRIORITY_CLASSES, {"metadata": {"name": lab.unique(name)}, "value": value})


async def _forget_classes(lab: Lab, *names: str) -> None:
    for name in names:
        await lab.delete(PRIORITY_CLASSES, lab.unique(name))


async def _filled(lab: Lab, resource: str, *, grace_s: int = 0) -> tuple[Object, Object]:
    """Each node has five of a resource; a low pod takes four of the first node's, a medium one of the other's."""
    await _classes(lab, low=1, medium=100, high=1000)
    nodes = names_of(await lab.nodes())
    for node in nodes:
        await offer(lab, node, resource, "5")
    made = []
    for node, name in zip(nodes, ("low", "medium"), strict=True):
        wanted = sized(
            name,
            resource,
            "4",
            priorityClassName=lab.unique(name),
            nodeSelector={"kubernetes.io/hostname": node},
            grace_s=grace_s,
        )
        await lab.make(PODS, wanted)
        made.append(await lab.until_object(PODS, name, is_ready, f"{name} runs"))
    return made[0], made[1]


async def _take_back(lab: Lab, resource: str) -> None:
    await _forget_classes(lab, "low", "medium", "high")
    for node in names_of(await lab.nodes()):
        await withdraw(lab, node, resource)


def _scarce(lab: Lab) -> str:
    return f"{SCARCE}-{lab.namespace[-5:]}"


async def test_a_pod_of_high_priority_displaces_the_lowest(lab: Lab) -> None:
    low, _ = await _filled(lab, _scarce(lab))
    await lab.make(PODS, sized("preemptor", _scarce(lab), "4", priorityClassName=lab.unique("high")))
    await lab.until_object(PODS, "preemptor", is_ready, "the preemptor runs")
    assert not await lab.exists(PODS, "low") or "deletionTimestamp" in (await lab.get(PODS, "low"))["metadata"]
    assert (await lab.get(PODS, "preemptor"))["spec"]["nodeName"] == low["spec"]["nodeName"]
    assert "deletionTimestamp" not in (await lab.get(PODS, "medium"))["metadata"]
    await _take_back(lab, _scarce(lab))


async def test_a_critical_pod_displaces_the_lowest(lab: Lab) -> None:
    await _filled(lab, _scarce(lab))
    wanted = sized("critical", _scarce(lab), "4", priorityClassName="system-cluster-critical")
    await lab.client.create(PODS, {**wanted, "metadata": {"name": lab.unique("critical")}}, namespace="kube-system")
    live: Object = {}

    async def runs() -> bool:
        nonlocal live
        live = await lab.client.get(PODS, lab.unique("critical"), namespace="kube-system")
        return is_ready(live)

    await lab.until(runs, "the critical pod runs")
    await lab.client.delete(PODS, lab.unique("critical"), namespace="kube-system", grace_s=0)
    assert not await lab.exists(PODS, "low") or "deletionTimestamp" in (await lab.get(PODS, "low"))["metadata"]
    assert "deletionTimestamp" not in (await lab.get(PODS, "medium"))["metadata"]
    await _take_back(lab, _scarce(lab))


async def test_a_displaced_pod_says_why(lab: Lab) -> None:
    await _classes(lab, low=1, medium=10, high=1000)
    node, resource = names_of(await lab.nodes())[0], _scarce(lab)
    await offer(lab, node, resource, "1")
    victim = sized("victim", resource, "1", priorityClassName=lab.unique("low"))
    victim["metadata"]["finalizers"] = ["example.com/test-finalizer"]
    await lab.make(PODS, victim)
    await lab.until_object(PODS, "victim", is_ready, "the victim runs")
    await lab.make(PODS, sized("preemptor", resource, "1", priorityClassName=lab.unique("high")))
    live = await lab.until_object(PODS, "victim", lambda p: "deletionTimestamp" in p["metadata"], "the victim goes")
    live = await lab.until_object(PODS, "victim", lambda p: condition(p, "DisruptionTarget"), "it says why")
    assert condition(live, "DisruptionTarget")["reason"] == "PreemptionByScheduler"
    await lab.patch(PODS, "victim", {"metadata": {"finalizers": None}})
    await lab.until_object(PODS, "preemptor", is_ready, "the preemptor runs")
    await _forget_classes(lab, "low", "medium", "high")
    await withdraw(lab, node, resource)


async def test_replica_sets_displace_by_priority(lab: Lab) -> None:
    """The least are displaced, no more of them than must be; who was displaced waits."""
    await _classes(lab, p1=1, p2=2, p3=3, p4=4)
    node, resource = names_of(await lab.nodes())[0], _scarce(lab)
    await offer(lab, node, resource, "1000")

    def wanted(name: str, replicas: int, amount: int) -> Object:
        amounts = {"requests": {resource: str(amount)}, "limits": {resource: str(amount)}}
        more = {"priorityClassName": lab.unique(name), "nodeSelector": {"kubernetes.io/hostname": node}}
        return owner(REPLICA_SETS, name, replicas, command=SLEEP, container={"resources": amounts}, **more)

    async with lab.watching(PODS) as events:
        for name, replicas, amount in (("p1", 5, 100), ("p2", 4, 100), ("p3", 4, 100), ("p4", 1, 200)):
            await lab.make(REPLICA_SETS, wanted(name, replicas, amount))
            await lab.until_ready(f"app={name}", replicas)

        async def running() -> bool:
            counts = {name: await _running(lab, name) for name in ("p1", "p2", "p3", "p4")}
            return counts == {"p1": 0, "p2": 4, "p3": 4, "p4": 1}

        await lab.until(running, "the least of all do not run")
        made = {name: sum(each.startswith(name) for each in events.added) for name in ("p1", "p2", "p3", "p4")}
    assert made == {"p1": 10, "p2": 4, "p3": 4, "p4": 1}
    await _forget_classes(lab, "p1", "p2", "p3", "p4")
    await withdraw(lab, node, resource)


async def _running(lab: Lab, app: str) -> int:
    return sum(is_ready(each) for each in await lab.pods(f"app={app}"))


async def test_a_priority_class_keeps_its_value(lab: Lab) -> None:
    await _classes(lab, p1=500)
    name = lab.unique("p1")
    patched = await lab.patch(PRIORITY_CLASSES, name, {"description": "changed"})
    assert patched["description"] == "changed"
    with pytest.raises(ApiError) as refused:
        await lab.patch(PRIORITY_CLASSES, name, {"value": 501})
    assert refused.value.code == 422 and "may not be changed" in refused.value.message
    assert name_of(await lab.get(PRIORITY_CLASSES, name)) == name
    await _forget_classes(lab, "p1")
