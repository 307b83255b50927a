"""Two machines of the control plane on one etcd: the second joins, and goes on when the first is gone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from tests.e2e.cluster.running import CYBERNETES, kill, wait_until

from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SystemRandom
from cybernetes.run import config as cluster_config
from cybernetes.run import files
from cybernetes.run.config import CONTROL_PLANE, ApiServerConfig, ClusterConfig, StoreConfig
from cybernetes.run.layout import Layout

FIRST, SECOND = "10.91.0.1", "10.91.0.2"
ETCD = f"{FIRST}:2379"


class Machine:
    """A network namespace with a data directory."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.folder = Path(tempfile.mkdtemp(prefix="cyb-e2e-"))
        self._environment = {**os.environ, "CYBERNETES_DATA_DIR": str(self.folder), "HOME": str(self.folder)}

    def command(self, *words: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *words]

    def run(self, *arguments: str, check: bool = True) -> str:
        command = self.command(str(CYBERNETES), *arguments)
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=180, check=False)
        assert not check or done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def processes(self) -> list[int]:
        rows = [line.split() for line in self.run("status", check=False).splitlines()[1:]]
        return [int(row[2]) for row in rows if row[2].isdigit()]

    def remove(self) -> None:
        self.run("down", check=False)
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def _plug_together(first: Machine, second: Machine) -> None:
    for each in (first, second):
        subprocess.run(["ip", "netns", "add", each.namespace], check=True)
    link = ("link", "add", "eth0", "netns", first.namespace, "type", "veth")
    subprocess.run(["ip", *link, "peer", "name", "eth0", "netns", second.namespace], check=True)
    for each, address in ((first, FIRST), (second, SECOND)):
        for words in ("link set lo up", f"addr add {address}/24 dev eth0", "link set eth0 up"):
            subprocess.run(["ip", "-n", each.namespace, *words.split()], check=True)


def _start_etcd(machine: Machine) -> subprocess.Popen[bytes]:
    """With an authority of its own, as a cluster's administrator would set it up."""
    layout = Layout(machine.folder)
    terms = pki.Terms(SystemClock().now(), SystemRandom())
    authority = pki.ca("etcd-ca", terms)
    made = {
        files.etcd_ca(layout): authority,
        files.etcd_server(layout): pki.serving(authority, "etcd", terms, names=(), addresses=(FIRST,)),
        files.etcd_client(layout): pki.client(authority, "apiserver", (), terms),
    }
    layout.pki.mkdir(mode=0o700)
    for where, credential in made.items():
        where.certificate.write_bytes(credential.certificate)
        where.key.write_bytes(credential.key)
    server = files.etcd_server(layout)
    options = (
        f"--data-dir={machine.folder / 'etcd'}",
        f"--listen-client-urls=https://{ETCD}",
        f"--advertise-client-urls=https://{ETCD}",
        "--listen-peer-urls=http://127.0.0.1:0",
        f"--cert-file={server.certificate}",
        f"--key-file={server.key}",
        "--client-cert-auth",
        f"--trusted-ca-file={files.etcd_ca(layout).certificate}",
    )
    log = (machine.folder / "etcd.log").open("wb")
    return subprocess.Popen(machine.command("etcd", *options), stdout=log, stderr=log, start_new_session=True)


@pytest.fixture
def machines() -> Iterator[tuple[Machine, Machine]]:
    if os.geteuid() != 0 or not shutil.which("etcd"):
        pytest.skip("needs root and etcd")
    first, second = Machine(f"cyb-e2e-a{os.getpid()}"), Machine(f"cyb-e2e-b{os.getpid()}")
    etcd = None
    try:
        _plug_together(first, second)
        etcd = _start_etcd(first)
        config = ClusterConfig(
            only=CONTROL_PLANE,
            api_server=ApiServerConfig(bind_address="0.0.0.0", advertise_address=FIRST),
            store=StoreConfig(kind="etcd", endpoints=(ETCD,)),
        )
        cluster_config.write(first.folder / "wanted.yaml", config)
        first.run("up", "--config", str(first.folder / "wanted.yaml"))
        yield first, second
    finally:
        second.remove()
        first.remove()
        if etcd is not None:
            etcd.kill()
            etcd.wait()


def _leader(machine: Machine, lease: str) -> str:
    return machine.run("kubectl", "-n", "kube-system", "get", "lease", lease, "-o", "jsonpath={.spec.holderIdentity}")


def _pods(machine: Machine) -> int:
    return len(orjson.loads(machine.run("kubectl", "get", "pods", "-o", "json"))["items"])


@pytest.mark.slow
def test_the_second_goes_on_without_the_first(machines: tuple[Machine, Machine]) -> None:
    first, second = machines
    command = first.run("token", "create", "--control-plane").split()[1:]
    second.run(*command, "--node-name", "second", "--address", SECOND)

    first.run("kubectl", "create", "deployment", "web", "--image=web", "--replicas=2")
    wait_until(lambda: _pods(second) == 2, 120, "what is written to one API server is seen at the other")
    led = {lease: _leader(second, lease) for lease in ("kube-controller-manager", "kube-scheduler")}

    for each in first.processes():
        kill(each)
    first.run("down", "--keep-data")

    second.run("kubectl", "scale", "deployment/web", "--replicas=4")
    wait_until(lambda: _pods(second) == 4, 120, "the controllers of the second machine lead")
    wait_until(lambda: all(_leader(second, each) != led[each] for each in led), 120, "both components lead there")
    assert second.run("kubectl", "get", "--raw", "/readyz") == "ok"
