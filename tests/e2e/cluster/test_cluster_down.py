"""After `down` the machine is as it was. In a network namespace of its own, beside the other tests' cluster."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import orjson
from tests.e2e.cluster.running import REPOSITORY, Cluster

from cybernetes.run import config as cluster_config
from cybernetes.run.config import ApiServerConfig, ClusterConfig, NodeConfig

NODE = "down-1"
UPLINK = "192.0.2.10"


def _seen(machine: Cluster) -> dict[str, str]:
    """What a cluster changes on its machine: rules, routes, links, mounts, cgroups, processes."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return {
        "nft": machine.inside("nft", "list", "tables").stdout,
        # Whether a link has a carrier is noticed a moment later, as a mark of the link and of its routes.
        "routes": machine.inside("ip", "-4", "route", "show", "table", "all").stdout.replace(" linkdown", ""),
        "links": "\n".join(each.split()[1] for each in machine.inside("ip", "-o", "link", "show").stdout.splitlines()),
        "mounts": "\n".join(line for line in mounts if str(machine.folder) in line),
        "cgroups": "\n".join(sorted(str(each) for each in Path("/sys/fs/cgroup").glob(f"*/cybernetes-{NODE}"))),
        "processes": "\n".join(_processes_of(machine.folder)),
    }


def _processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that name the folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in line:
            found.append(line.replace(b"\0", b" ").decode())
    return found


def _ask_for_host_port(machine: Cluster) -> None:
    port = {"op": "add", "path": "/spec/template/spec/containers/0/ports/0/hostPort", "value": 18080}
    one = {"op": "replace", "path": "/spec/replicas", "value": 1}
    patch = orjson.dumps([one, port]).decode()
    machine.kubectl("-n", "hello", "patch", "deployment", "hello", "--type", "json", "-p", patch)
    machine.kubectl("-n", "hello", "rollout", "status", "deployment/hello", "--timeout=60s")
    assert "table ip nat" in machine.inside("nft", "list", "tables").stdout


def test_down_leaves_the_machine_as_it_was() -> None:
    machine = Cluster(Path(tempfile.mkdtemp(prefix="cyb-e2e-")), f"cyb-down-{os.getpid()}")
    try:
        machine.make_machine()
        machine.inside("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far-end")
        machine.inside("ip", "address", "add", f"{UPLINK}/24", "dev", "uplink")
        machine.inside("ip", "link", "set", "far-end", "up")
        machine.inside("ip", "link", "set", "uplink", "up")
        machine.inside("ip", "route", "add", "default", "via", "192.0.2.1")
        wanted = ClusterConfig(
            name="down",
            nodes=(NodeConfig(NODE, UPLINK),),
            api_server=ApiServerConfig(bind_address="0.0.0.0", advertise_address=UPLINK),
        )
        cluster_config.write(machine.folder / "wanted.yaml", wanted)
        before = _seen(machine)
        machine.up()
        machine.inside(str(REPOSITORY / "examples" / "hello" / "run"))
        _ask_for_host_port(machine)
        during = _seen(machine)
        assert [each for each in before if during[each] == before[each]] == []
        machine.run("down")
        assert _seen(machine) == before
    finally:
        machine.remove()
