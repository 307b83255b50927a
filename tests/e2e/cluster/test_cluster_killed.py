"""Every component may be killed at any instant: pods run on, nothing acknowledged is lost. Runs after the journey."""

from __future__ import annotations

import threading

import pytest
from tests.e2e.cluster.running import NODES, Cluster, container_commands, container_processes, kill, wait_until

COMPONENTS = (
    "apiserver",
    "controller-manager",
    "scheduler",
    "kubelet-e2e-1",
    "proxy-e2e-1",
    "network-e2e-2",
    "dns-e2e-2",
    "containerd-e2e-2",
)


class Writer:
    """Creates config maps one after the other and remembers which the API server said were created."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: list[str] = []

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _write(self) -> None:
        number = 0
        while not self._end.is_set():
            number += 1
            name = f"written-{number}"
            answer = self._cluster.kubectl("create", "configmap", name, "-o", "name", check=False)
            if answer.strip() == f"configmap/{name}":
                self.acknowledged.append(name)


def _identities(cluster: Cluster) -> dict[str, tuple[str, int]]:
    return {name: (uid, restarts) for name, (uid, restarts, _) in cluster.pods("hello").items()}


def _settled(cluster: Cluster) -> bool:
    pods = cluster.pods("hello")
    return cluster.all_ready() and bool(pods) and all(ready for _, _, ready in pods.values())


def test_pods_and_writes_survive_the_death_of_any_component(cluster: Cluster) -> None:
    before = _identities(cluster)
    with Writer(cluster) as writer:
        for component in COMPONENTS:
            killed = cluster.processes()[component]
            kill(killed)
            wait_until(
                lambda c=component, k=killed: cluster.processes().get(c, k) != k,  # type: ignore[misc]
                120,
                f"{component} is started again",
            )
            wait_until(lambda: _settled(cluster), 180, f"everything is ready after the death of {component}")
            assert _identities(cluster) == before, component
    names = set(cluster.kubectl("get", "configmaps", "-o", "name").replace("configmap/", "").split())
    assert writer.acknowledged and set(writer.acknowledged) <= names


def test_everything_killed_at_once(cluster: Cluster) -> None:
    before = _identities(cluster)
    for each in cluster.processes().values():
        kill(each)
    wait_until(lambda: _settled(cluster), 180, "everything is ready again")
    assert _identities(cluster) == before
    assert cluster.run("fetch", "http://hello.hello.svc.cluster.local/").startswith("Hello")


@pytest.mark.slow
def test_pods_of_a_dead_node_move_and_the_node_comes_back(cluster: Cluster) -> None:
    dead = NODES[1]
    cluster.leave_lost_nodes_after(2)
    held = [f"{component}-{dead}" for component in ("kubelet", "proxy", "network", "dns", "containerd")]
    for component in held:
        cluster.hold(component)
    for each in container_processes(dead):
        kill(each)

    wait_until(lambda: cluster.ready_by_node("hello").get(NODES[0]) == 3, 240, "three pods are ready on the other node")
    answers = {cluster.run("fetch", "http://hello.hello.svc.cluster.local/").split()[0] for _ in range(10)}
    assert answers == {"Hello"}

    for component in held:
        cluster.release(component)
    wait_until(
        lambda: _settled(cluster) and len(cluster.pods("hello")) == 3, 180, "the node is back, old pods are gone"
    )
    assert not [each for each in container_commands(dead) if each.startswith("/hello")]
