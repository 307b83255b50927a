"""A whole cluster of two nodes below one folder and inside one network namespace, driven by its command line only."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson

from cybernetes.run import config as cluster_config
from cybernetes.run.config import ClusterConfig, NetworkConfig, NodeConfig

REPOSITORY = Path(__file__).parents[3]
CYBERNETES = Path(sys.executable).parent / "cybernetes"
NODES = ("e2e-1", "e2e-2")
ONE_FAMILY = NetworkConfig()


class Cluster:
    """folder: the data directory. Commands run in the namespace, as a user of that machine would type them."""

    def __init__(
        self, folder: Path, namespace: str, node_names: tuple[str, ...] = NODES, network: NetworkConfig = ONE_FAMILY
    ) -> None:
        self._network = network
        self.folder = folder
        self.namespace = namespace
        self._node_names = node_names
        self._environment = {**os.environ, "CYBERNETES_DATA_DIR": str(folder), "HOME": str(folder)}

    def make_machine(self) -> None:
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        self.inside("ip", "link", "set", "lo", "up")
        nodes = tuple(
            NodeConfig(
                name=name,
                address=f"10.89.0.{11 + i}",
                second_address=f"fd00:10:89::{11 + i}" if len(self._network.families) > 1 else "",
                network=f"cyb-{name}",
                max_pods=110,
            )
            for i, name in enumerate(self._node_names)
        )
        cluster_config.write(self.folder / "wanted.yaml", _config(nodes, self._network))

    def inside(self, *command: str, check: bool = True, wait_s: float = 180) -> subprocess.CompletedProcess[str]:
        entered = ["nsenter", f"--net=/run/netns/{self.namespace}", *command]
        done = subprocess.run(
            entered, env=self._environment, capture_output=True, text=True, timeout=wait_s, check=False
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def run(self, *arguments: str, check: bool = True, wait_s: float = 180) -> str:
        """Standard output of `cybernetes …`."""
        return self.inside(str(CYBERNETES), *arguments, check=check, wait_s=wait_s).stdout

    def up(self) -> str:
        wanted = str(self.folder / "wanted.yaml")
        return self.run("up", "--config", wanted, "--no-merge-kubeconfig")

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        return self.run("kubectl", *arguments, check=check)

    def get(self, *arguments: str) -> dict[str, object]:
        found: dict[str, object] = orjson.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def processes(self) -> dict[str, int]:
        """Component -> process number, of those that run."""
        rows = [line.split() for line in self.run("status", check=False).splitlines()[1:]]
        return {row[0]: int(row[2]) for row in rows if len(row) > 2 and row[2].isdigit()}

    def all_ready(self) -> bool:
        rows = [line.split() for line in self.run("status", check=False).splitlines()[1:]]
        return bool(rows) and all(len(row) > 1 and row[1] == "ready" for row in rows)

    def pods(self, namespace: str) -> dict[str, tuple[str, int, bool]]:
        """Name -> (uid, restarts of its containers, whether it is ready); nothing while the API server is away."""
        answer = self.kubectl("-n", namespace, "get", "pods", "-o", "json", check=False)
        items = orjson.loads(answer)["items"] if answer else []
        return {each["metadata"]["name"]: _state(each) for each in items}

    def ready_by_node(self, namespace: str) -> dict[str, int]:
        """Node -> how many pods are there that run and are ready."""
        answer = self.kubectl("-n", namespace, "get", "pods", "-o", "json", check=False)
        items = orjson.loads(answer)["items"] if answer else []
        here = [each for each in items if "deletionTimestamp" not in each["metadata"] and _state(each)[2]]
        return dict(Counter(each["spec"]["nodeName"] for each in here))

    def leave_lost_nodes_after(self, seconds: int) -> None:
        """The example's pods tolerate a node that is away for this long, and are made anew."""
        tolerations = [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute"}
            | {"tolerationSeconds": seconds}
            for key in ("not-ready", "unreachable")
        ]
        patch = {"spec": {"template": {"spec": {"tolerations": tolerations}}}}
        self.kubectl("-n", "hello", "patch", "deployment", "hello", "-p", orjson.dumps(patch).decode())
        self.kubectl("-n", "hello", "rollout", "status", "deployment/hello", "--timeout=170s")

    def hold(self, component: str) -> None:
        """Stop it and keep the supervisor from starting it again, as the loss of its machine would."""
        self._ask_supervisor(f"hold {component}")

    def release(self, component: str) -> None:
        self._ask_supervisor(f"restart {component}")

    def _ask_supervisor(self, verb: str) -> None:
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self.folder / "run" / "supervisor.sock"))
            control.sendall(f"{verb}\n".encode())
            assert control.recv(1000).strip() == b"[]"

    def remove(self) -> None:
        self.run("down", check=False)
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def _config(nodes: tuple[NodeConfig, ...], network: NetworkConfig) -> ClusterConfig:
    api_server = cluster_config.ApiServerConfig(bind_address="0.0.0.0", advertise_address="10.89.0.1")
    return ClusterConfig(name="e2e", nodes=nodes, network=network, api_server=api_server)


def _state(pod: dict[str, object]) -> tuple[str, int, bool]:
    metadata, status = pod["metadata"], pod.get("status", {})
    assert isinstance(metadata, dict) and isinstance(status, dict)
    containers = status.get("containerStatuses", [])
    ready = bool(containers) and all(each["ready"] for each in containers)
    return str(metadata["uid"]), sum(each["restartCount"] for each in containers), ready


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def container_processes(node: str) -> list[int]:
    """Numbers of the processes in the pods of a node, whose cgroups are below one of the node's own."""
    found: set[int] = set()
    for each in Path("/sys/fs/cgroup").glob(f"*/cybernetes-{node}/**/cgroup.procs"):
        # A cgroup goes with its container, also between the two: ENOENT, or ENODEV once it was opened.
        with suppress(OSError):
            found.update(map(int, each.read_text().split()))
    return sorted(found)


def container_commands(node: str) -> list[str]:
    """Command lines of the processes in the pods of a node, of those that have not ended meanwhile."""
    found = []
    for each in container_processes(node):
        with suppress(FileNotFoundError, ProcessLookupError):
            found.append(command_line(each))
    return found


def command_line(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()


def kill(process: int) -> None:
    """It may have ended meanwhile, as those do whose first process was killed before."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
