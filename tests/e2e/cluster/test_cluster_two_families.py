"""Pods and Services with IPv4 and IPv6: what the API tells of them, and packets of both from node to node."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.e2e.cluster.running import NODES, Cluster, command_line, container_processes, wait_until


@pytest.fixture(autouse=True)
def _pods_on_both_nodes(cluster: Cluster) -> None:
    """Of a node that was away all pods have moved to the other one."""
    spread(cluster)


def spread(cluster: Cluster) -> None:
    if set(cluster.ready_by_node("hello")) != set(NODES):
        cluster.kubectl("-n", "hello", "rollout", "restart", "deployment/hello")
        cluster.kubectl("-n", "hello", "rollout", "status", "deployment/hello", "--timeout=170s")
        wait_until(lambda: len(cluster.pods("hello")) == 3, 120, "pods of before are gone")
        assert set(cluster.ready_by_node("hello")) == set(NODES)


def _set_policy(cluster: Cluster, policy: str, **spec: Any) -> dict[str, Any]:
    patch = json.dumps({"spec": {"ipFamilyPolicy": policy, **spec}})
    cluster.kubectl("-n", "hello", "patch", "service", "hello", "-p", patch)
    found: dict[str, Any] = cluster.get("-n", "hello", "service", "hello")["spec"]  # type: ignore[assignment]
    return found


def _ready_endpoints(cluster: Cluster) -> dict[str, int]:
    slices: Any = cluster.get("-n", "hello", "endpointslices", "-l", "kubernetes.io/service-name=hello")["items"]
    return {each["addressType"]: sum(e["conditions"]["ready"] for e in each["endpoints"]) for each in slices}


def _pod_process(node: str) -> int:
    """A process of the example, in the network of its pod."""
    return next(each for each in container_processes(node) if command_line(each).startswith("/hello tick"))


def _fetch(cluster: Cluster, process: int, host: str, port: int = 80, times: int = 1) -> list[str]:
    """What the example answers to one of its pods."""
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    script = f"for i in $(seq {times}); do curl -sf -m 5 {url}; done"
    return cluster.inside("nsenter", "-t", str(process), "-n", "sh", "-c", script, check=False).stdout.splitlines()


def _says(cluster: Cluster, process: int, kind: str) -> str:
    """What the cluster's DNS tells a pod of the example's name."""
    ask = ("busybox", "nslookup", f"-type={kind}", "hello.hello.svc.cluster.local", "10.96.0.10")
    return cluster.inside("nsenter", "-t", str(process), "-n", *ask, check=False).stdout


def test_nodes_and_pods_have_addresses_of_both(cluster: Cluster) -> None:
    nodes: Any = cluster.get("nodes")["items"]
    assert [[":" in part for part in node["spec"]["podCIDRs"]] for node in nodes] == [[False, True]] * len(NODES)
    pods: Any = cluster.get("-n", "hello", "pods")["items"]
    for pod in pods:
        for name in ("podIPs", "hostIPs"):
            assert [":" in each["ip"] for each in pod["status"][name]] == [False, True]
        assert pod["status"]["podIP"] == pod["status"]["podIPs"][0]["ip"]


def test_pods_of_two_nodes_reach_each_other_by_both(cluster: Cluster) -> None:
    pods: Any = cluster.get("-n", "hello", "pods")["items"]
    process = {node: _pod_process(node) for node in NODES}
    for pod in pods:
        other = next(node for node in NODES if node != pod["spec"]["nodeName"])
        for each in pod["status"]["podIPs"]:
            (answer,) = _fetch(cluster, process[other], each["ip"], 8080)
            assert answer.startswith(f"Hello from {pod['metadata']['name']},")


def test_a_service_gets_a_second_address_that_leads_to_its_pods_and_gives_it_back(cluster: Cluster) -> None:
    before: Any = cluster.get("-n", "hello", "service", "hello")["spec"]
    assert (len(before["clusterIPs"]), before["ipFamilyPolicy"]) == (1, "SingleStack")
    spec = _set_policy(cluster, "RequireDualStack", type="NodePort")
    try:
        four, six = spec["clusterIPs"]
        assert (four, ":" in six) == (before["clusterIP"], True)
        wait_until(lambda: _ready_endpoints(cluster) == {"IPv4": 3, "IPv6": 3}, 60, "endpoints of both families")
        for process in map(_pod_process, NODES):
            for address, kind in ((four, "a"), (six, "aaaa")):
                wait_until(lambda p=process, a=address: bool(_fetch(cluster, p, a)), 30, address)  # type: ignore[misc]
                wait_until(lambda p=process, k=kind, a=address: a in _says(cluster, p, k), 30, f"{kind} is {address}")  # type: ignore[misc]
        assert len({each.split(",")[0] for each in _fetch(cluster, process, six, times=40)}) == 3
        port = spec["ports"][0]["nodePort"]
        for host in ("10.89.0.11", "[fd00:10:89::11]"):
            assert cluster.inside("curl", "-sf", "-m", "5", f"http://{host}:{port}/").stdout.startswith("Hello from")
    finally:
        after = _set_policy(cluster, "SingleStack", type="ClusterIP")
    assert after["clusterIPs"] == before["clusterIPs"]
    wait_until(lambda: _ready_endpoints(cluster) == {"IPv4": 3}, 60, "endpoints of the first family alone")
