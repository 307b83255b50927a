"""From a description to an application that answers, with the tools that a person has."""

from __future__ import annotations

from contextlib import suppress

from tests.e2e.cluster.running import CYBERNETES, NODES, Cluster, command_line, container_processes, kill, wait_until

NAME = "http://hello.hello.svc.cluster.local/"
NO_INGRESS = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody, namespace: hello}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""


def _ready(cluster: Cluster) -> list[str]:
    return [name for name, (_, _, ready) in cluster.pods("hello").items() if ready]


def _restarts(pods: dict[str, tuple[str, int, bool]]) -> int:
    return sum(restarts for _, restarts, _ in pods.values())


def _runs(process: int, command: str) -> bool:
    """False of one that has ended meanwhile, such as a probe."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return command_line(process).startswith(command)
    return False


def _fetch_on(cluster: Cluster, node: str, address: str) -> str:
    on_node = ("nsenter", f"--net=/run/netns/cyb-{node}")
    return cluster.inside(*on_node, "curl", "-sf", "-m", "5", f"http://{address}/").stdout


def test_nodes_are_ready(cluster: Cluster) -> None:
    nodes = cluster.kubectl("get", "nodes", "--no-headers").splitlines()
    assert [line.split()[:2] for line in nodes] == [[name, "Ready"] for name in NODES]


def test_service_answers_by_name_and_address(cluster: Cluster) -> None:
    address = cluster.kubectl("-n", "hello", "get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")
    assert cluster.run("fetch", NAME).startswith("Hello from hello-")
    for node in NODES:
        assert _fetch_on(cluster, node, address).startswith("Hello from hello-")


def test_every_pod_gets_requests(cluster: Cluster) -> None:
    address = cluster.kubectl("-n", "hello", "get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")
    answers = {_fetch_on(cluster, NODES[0], address).split()[2].rstrip(",") for _ in range(60)}
    assert answers == set(_ready(cluster))


def test_logs_and_commands_reach_containers(cluster: Cluster) -> None:
    pod = _ready(cluster)[0]
    assert "tick" in cluster.kubectl("-n", "hello", "logs", pod, "-c", "ticker")
    usage = cluster.inside(
        str(CYBERNETES), "kubectl", "-n", "hello", "exec", pod, "-c", "ticker", "--", "/hello", "nonsense", check=False
    )
    assert (usage.returncode, "usage" in usage.stderr) == (2, True)
    assert cluster.kubectl(
        "-n", "hello", "get", "--raw", f"/api/v1/namespaces/hello/pods/{pod}:8080/proxy/"
    ).startswith("Hello")


def test_scaling_up_and_down(cluster: Cluster) -> None:
    for replicas in (6, 3):
        cluster.kubectl("-n", "hello", "scale", "deployment/hello", f"--replicas={replicas}")
        cluster.kubectl("-n", "hello", "rollout", "status", "deployment/hello", "--timeout=170s")
        wait_until(lambda n=replicas: len(cluster.pods("hello")) == n, 120, f"{replicas} pods")  # type: ignore[misc]


def test_dead_container_is_restarted(cluster: Cluster) -> None:
    before = cluster.pods("hello")
    found = [each for node in NODES for each in container_processes(node)]
    kill(next(each for each in found if _runs(each, "/hello tick")))

    def restarted_once() -> bool:
        now = cluster.pods("hello")
        return _restarts(now) == _restarts(before) + 1 and all(ready for _, _, ready in now.values())

    wait_until(restarted_once, 120, "the container runs again")
    assert {uid for uid, _, _ in cluster.pods("hello").values()} == {uid for uid, _, _ in before.values()}


def test_a_network_policy_keeps_others_away(cluster: Cluster) -> None:
    items = cluster.get("-n", "hello", "pods")["items"]
    assert isinstance(items, list)
    node, address = items[0]["spec"]["nodeName"], f"{items[0]['status']['podIP']}:8080"
    other = next(each for each in NODES if each != node)

    def answers(caller: str) -> bool:
        on_node = ("nsenter", f"--net=/run/netns/cyb-{caller}")
        return cluster.inside(*on_node, "curl", "-sf", "-m", "2", f"http://{address}/", check=False).returncode == 0

    wait_until(lambda: answers(other), 60, "it is reached")
    policy = cluster.folder / "policy.yaml"
    policy.write_text(NO_INGRESS)
    cluster.kubectl("apply", "-f", str(policy))
    try:
        wait_until(lambda: not answers(other), 60, "packets of the other node are kept away")
        wait_until(lambda: answers(node), 60, "probes come from the pod's own node")
    finally:
        cluster.kubectl("delete", "-f", str(policy))
    wait_until(lambda: answers(other), 60, "the pod is open again")


def test_second_up_changes_nothing(cluster: Cluster) -> None:
    processes, pods = cluster.processes(), cluster.pods("hello")
    cluster.up()
    assert cluster.processes() == processes
    assert cluster.pods("hello") == pods


def test_what_nodes_and_pods_use_is_shown(cluster: Cluster) -> None:
    def rows(*words: str) -> list[list[str]]:
        """Nothing while there are no measurements."""
        return [line.split() for line in cluster.kubectl("top", *words, "--no-headers", check=False).splitlines()]

    wait_until(lambda: [row[0] for row in rows("nodes")] == list(NODES), 60, "nodes have measurements")
    of_pods = ("pods", "-n", "hello", "--containers")
    wait_until(lambda: {row[0] for row in rows(*of_pods)} == set(_ready(cluster)), 60, "pods have measurements")
    assert all(row[3].endswith("Mi") for row in rows(*of_pods))


def test_an_autoscaler_follows_what_pods_use(cluster: Cluster) -> None:
    cluster.kubectl("-n", "hello", "set", "resources", "deployment/hello", "--requests=cpu=10m")
    cluster.kubectl("-n", "hello", "rollout", "status", "deployment/hello", "--timeout=170s")
    cluster.kubectl("-n", "hello", "autoscale", "deployment/hello", "--min=4", "--max=6", "--cpu=80%")
    try:
        wait_until(lambda: len(cluster.pods("hello")) == 4, 120, "the autoscaler keeps its minimum")
        path = "jsonpath={.status.currentMetrics[0].resource.current.averageUtilization}"
        wait_until(
            lambda: cluster.kubectl("-n", "hello", "get", "hpa", "hello", "-o", path).isdigit(), 120, "it knows the use"
        )
    finally:
        cluster.kubectl("-n", "hello", "delete", "hpa", "hello")
        cluster.kubectl("-n", "hello", "scale", "deployment/hello", "--replicas=3")
        cluster.kubectl("-n", "hello", "rollout", "status", "deployment/hello", "--timeout=170s")
