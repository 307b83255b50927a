"""A node whose cable is pulled: its pods run elsewhere, its Service answers on, and it heals."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.e2e.cluster.running import NODES, Cluster, container_commands, wait_until

LOST, KEPT = NODES[1], NODES[0]


class Client:
    """Asks the Service on one node over and over, each time on a new connection, and counts what it gets."""

    def __init__(self, cluster: Cluster, node: str, address: str) -> None:
        self._command = (
            *("nsenter", f"--net=/run/netns/cyb-{node}"),
            *("curl", "-sf", "-o", "/dev/null", "-m", "1", f"http://{address}/"),
        )
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.answered = 0
        self.failed = 0

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._end.wait(0.05):
            done = subprocess.run(self._command, check=False)
            if done.returncode == 0:
                self.answered += 1
            else:
                self.failed += 1

    def answers_on(self, rounds: int = 20) -> bool:
        """Whether that many requests in a row are answered."""
        return all(subprocess.run(self._command, check=False).returncode == 0 for _ in range(rounds))


@contextmanager
def _cable_pulled(cluster: Cluster, node: str) -> Iterator[None]:
    cluster.inside("ip", "link", "set", f"cyb-{node}", "down")
    try:
        yield
    finally:
        cluster.inside("ip", "link", "set", f"cyb-{node}", "up")


@pytest.mark.slow
def test_a_partitioned_node_loses_its_pods_and_heals(cluster: Cluster) -> None:
    cluster.leave_lost_nodes_after(3)
    wait_until(lambda: set(cluster.ready_by_node("hello")) == set(NODES), 60, "pods run on both nodes")
    address = cluster.kubectl("-n", "hello", "get", "service", "hello", "-o", "jsonpath={.spec.clusterIP}")
    with Client(cluster, KEPT, address) as kept, Client(cluster, LOST, address) as lost:
        with _cable_pulled(cluster, LOST):
            wait_until(
                lambda: cluster.ready_by_node("hello").get(KEPT, 0) == 3, 120, "three pods on the node that is left"
            )
            wait_until(kept.answers_on, 10, "the Service answers without a miss on the node that is left")
            assert _serves(LOST), "its pods run on, alone"
        wait_until(lambda: _is_ready(cluster, LOST), 60, "the node is ready again")
        wait_until(lambda: not _serves(LOST), 60, "its old pods are gone")
        wait_until(kept.answers_on, 10, f"the Service answers on {KEPT}")
        wait_until(lost.answers_on, 10, f"the Service answers on {LOST}")
    assert kept.answered > kept.failed
    print(f"{KEPT}: {kept.answered} answered, {kept.failed} failed; {LOST}: {lost.answered} and {lost.failed}")


def _is_ready(cluster: Cluster, node: str) -> bool:
    return cluster.kubectl("get", "node", node, "--no-headers").split()[1] == "Ready"


def _serves(node: str) -> bool:
    return any(each.startswith("/hello serve") for each in container_commands(node))
