"""What a node says to pods that were bound to it, and what it lets them set."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.kubelet.making import pod

from cybernetes.kubelet import admit, preemption, resources, security

Object = dict[str, Any]


def _node(*taints: Object, **labels: str) -> Object:
    return {"metadata": {"name": "n", "labels": labels}, "spec": {"taints": list(taints)}}


def _affinity(*expressions: Object) -> Object:
    terms = [{"matchExpressions": list(expressions)}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}}


TAINT = {"key": "k", "value": "v", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("spec", "node", "reason"),
    [
        ({}, _node(), None),
        ({}, None, None),
        ({"nodeSelector": {"disk": "ssd"}}, _node(disk="ssd"), None),
        ({"nodeSelector": {"disk": "ssd"}}, _node(disk="hdd"), "NodeAffinity"),
        (_affinity({"key": "disk", "operator": "Exists"}), _node(disk="hdd"), None),
        (_affinity({"key": "disk", "operator": "In", "values": ["ssd"]}), _node(), "NodeAffinity"),
        (_affinity({"key": "cores", "operator": "Gt", "values": ["4"]}), _node(cores="8"), None),
        ({}, _node(TAINT), "TaintToleration"),
        ({}, _node({**TAINT, "effect": "NoSchedule"}), None),
        ({"tolerations": [{"key": "k", "operator": "Exists"}]}, _node(TAINT), None),
        ({"tolerations": [{"key": "k", "value": "w"}]}, _node(TAINT), "TaintToleration"),
        ({"tolerations": [{"operator": "Exists", "tolerationSeconds": 3}]}, _node(TAINT), None),
    ],
)
def test_a_node_refuses_pods_that_do_not_want_or_bear_it(spec: Object, node: Object | None, reason: str | None) -> None:
    rejection = admit.unwanted(pod(**spec), node)
    assert (rejection.reason if rejection else None) == reason


def test_static_pods_run_wherever_their_manifests_are() -> None:
    static = pod(nodeSelector={"disk": "ssd"})
    static["metadata"]["annotations"] = {"kubernetes.io/config.source": "file"}
    assert admit.unwanted(static, _node(TAINT)) is None


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("kernel.shm_rmid_forced", "kernel.shm_rmid_forced"),
        ("net/ipv4/tcp_fin_timeout", "net.ipv4.tcp_fin_timeout"),
        ("net/ipv4/conf/eth0.1/x", "net.ipv4.conf.eth0/1.x"),
        ("net.ipv4.conf.eth0/1.x", "net.ipv4.conf.eth0/1.x"),
    ],
)
def test_kernel_settings_have_dots(given: str, name: str) -> None:
    holder = pod(securityContext={"sysctls": [{"name": given, "value": "1"}]})
    assert security.sysctls(holder) == {name: "1"}
    assert bool(security.forbidden_sysctl(holder, ())) is name.startswith("net.ipv4.conf")


def _asking(name: str, cpu: str, *, priority: int = 0, limited: bool = False) -> Object:
    amounts = {"cpu": cpu, "memory": "1Mi"}
    resources = {"requests": amounts, **({"limits": amounts} if limited else {})} if cpu else {}
    made = pod(priority=priority)
    made["spec"]["containers"][0]["resources"] = resources
    made["metadata"] |= {"name": name, "uid": name}
    return made


@pytest.mark.parametrize(
    ("others", "ended"),
    [
        ([_asking("a", "500m"), _asking("b", "300m")], ["b"]),
        ([_asking("a", "500m"), _asking("b", "100m"), _asking("c", "50m")], ["a"]),
        ([_asking("a", "300m", limited=True), _asking("b", "300m")], ["b"]),
        ([_asking("a", "100m", limited=True), _asking("b", "100m"), _asking("c", "")], ["a", "b"]),
        ([_asking("a", "500m", priority=2_000_000_000)], []),
        ([_asking("a", "100m")], []),
    ],
)
def test_as_few_and_as_unimportant_pods_as_possible_make_room(others: list[Object], ended: list[str]) -> None:
    critical = _asking("critical", "200m", priority=2_000_000_001)
    allocatable = {
        "pods": 10,
        "cpu": sum(resources.pod_requests(each)["cpu"] for each in others if "cpu" in resources.pod_requests(each)),
        "memory": 1 << 30,
    }
    lack = preemption.missing(critical, others, allocatable)
    assert lack == {"cpu": 200}
    assert [each["metadata"]["name"] for each in preemption.victims(critical, others, lack)] == ended
