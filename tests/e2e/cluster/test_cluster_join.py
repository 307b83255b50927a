"""Another machine joins by token, runs pods of the cluster, and leaves. Runs after the journey."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.cluster.running import CYBERNETES, Cluster, container_commands, wait_until

from cybernetes.auth import pki

NAME, ADDRESS, MACHINE = "e2e-joined", "10.89.0.40", "cyb-e2e-joined"


class Machine:
    """A network namespace on the cluster's bridge with a data directory of its own, and nothing else of the cluster's."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder

    def plug_in(self) -> None:
        inside = self._cluster.inside
        inside("ip", "netns", "add", MACHINE)
        inside("ip", "link", "add", MACHINE, "type", "veth", "peer", "name", "eth0", "netns", MACHINE)
        inside("ip", "link", "set", MACHINE, "master", "cyb-fabric", "up")
        for words in (
            "link set lo up",
            f"addr add {ADDRESS}/24 dev eth0",
            "link set eth0 up",
            "route add default via 10.89.0.1",
        ):
            inside("ip", "-n", MACHINE, *words.split())

    def run(self, *arguments: str, check: bool = True) -> str:
        there = ("nsenter", f"--net=/run/netns/{MACHINE}", "env", f"CYBERNETES_DATA_DIR={self._folder}")
        done = self._cluster.inside(*there, str(CYBERNETES), *arguments, check=check)
        return done.stdout + done.stderr

    def authorities(self) -> list[str]:
        """Who signed the machine's certificates, each once."""
        issuers = (pki.names(path.read_bytes())[1] for path in sorted((self._folder / "pki").glob("*-*.crt")))
        return list(dict.fromkeys(issuers))

    def remove(self) -> None:
        self.run("down", check=False)
        subprocess.run(["ip", "netns", "delete", MACHINE], check=False, capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture
def machine(cluster: Cluster) -> Iterator[Machine]:
    made = Machine(cluster, Path(tempfile.mkdtemp(prefix="cyb-e2e-")))
    try:
        made.plug_in()
        yield made
    finally:
        made.remove()
        cluster.kubectl("delete", "node", NAME, "--ignore-not-found")


@pytest.mark.slow
def test_a_machine_joins_works_and_leaves(cluster: Cluster, machine: Machine) -> None:
    command = cluster.run("token", "create").split()[1:]
    wrong = [*command[:-1], "sha256:00"]
    assert "another hash" in machine.run(*wrong, check=False)

    told = machine.run(*command, "--node-name", NAME, "--address", ADDRESS)
    assert f"node {NAME} is ready" in told
    assert cluster.kubectl("get", "node", NAME, "--no-headers").split()[1] == "Ready"

    cluster.kubectl("-n", "hello", "patch", "deployment", "hello", "-p", _only_on(NAME))
    cluster.kubectl("-n", "hello", "rollout", "status", "deployment/hello", "--timeout=170s")
    assert cluster.ready_by_node("hello") == {NAME: 3}
    assert cluster.run("fetch", "http://hello.hello.svc.cluster.local/").startswith("Hello from hello-")
    wait_until(lambda: len(cluster.pods("hello")) == 3, 120, "the pods of other nodes are gone")
    pod = next(iter(cluster.pods("hello")))
    assert "tick" in cluster.kubectl("-n", "hello", "logs", pod, "-c", "ticker")

    machine.run("down", "--keep-data")
    machine.run("up")
    wait_until(lambda: cluster.ready_by_node("hello") == {NAME: 3}, 180, "the pods run again after down and up")

    _replace_the_authority(cluster, machine)

    cluster.kubectl("-n", "hello", "patch", "deployment", "hello", "-p", _only_on(None))
    cluster.kubectl("-n", "hello", "rollout", "status", "deployment/hello", "--timeout=170s")
    cluster.kubectl("drain", NAME, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=170s")
    machine.run("down")
    assert not container_commands(NAME)


def _replace_the_authority(cluster: Cluster, machine: Machine) -> None:
    """With the machine in the cluster: its pods stay, it is reached and reaches others with certificates of the new one."""
    before, restarts = machine.authorities(), cluster.pods("hello")
    assert "forgetting the old authority" in cluster.run("certs", "rotate-ca", wait_s=600)
    after = machine.authorities()
    assert before != after and len(set(after)) == 1
    assert "tick" in cluster.kubectl("-n", "hello", "logs", next(iter(cluster.pods("hello"))), "-c", "ticker")
    assert cluster.pods("hello") == restarts
    assert cluster.kubectl("get", "node", NAME, "--no-headers").split()[1] == "Ready"


def _only_on(node: str | None) -> str:
    value = "null" if node is None else f'"{node}"'
    return f'{{"spec":{{"template":{{"spec":{{"nodeSelector":{{"kubernetes.io/hostname":{value}}}}}}}}}}}'
