"""The CNI plugin of our own in real namespaces: what it sets up is what ptp and host-local set up."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cybernetes.install.programs import place_plugins
from cybernetes.network.plan import NetworkConfig, render_cni

pytestmark = pytest.mark.privileged

NODE = "cyb-cni-node"
PODS = tuple(f"cyb-cni-{number}" for number in range(6))
MACHINES = Path("/usr/lib/cni")
RANGES = ("10.244.1.0/24", "fd01:1::/64")
Answer = dict[str, Any]


@pytest.fixture(autouse=True)
def namespaces() -> Iterator[None]:
    for name in (NODE, *PODS):
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield
    finally:
        for name in (NODE, *PODS):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    place_plugins(tmp_path / "bin", MACHINES)
    return tmp_path / "bin"


def network(tmp_path: Path, ranges: tuple[str, ...] = RANGES, **more: Any) -> Answer:
    """As a runtime hands it to the plugin: the list's one entry, with the list's name and version."""
    shown = json.loads(render_cni(ranges, NetworkConfig(node="n", conf_dir=tmp_path, state_dir=tmp_path / "state")))
    return {"cniVersion": shown["cniVersion"], "name": shown["name"], **shown["plugins"][0], **more}


def call(
    plugins: Path, command: str, network: Answer, pod: str, *, interface: str = "eth0", fails: bool = False
) -> Any:
    environment = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": pod,
        "CNI_NETNS": f"/run/netns/{pod}",
        "CNI_IFNAME": interface,
        "CNI_PATH": f"/nowhere:{plugins}",
    }
    done = subprocess.run(
        ["ip", "netns", "exec", NODE, plugins / network["type"]],
        input=json.dumps(network),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else None


def shown(namespace: str, *arguments: str) -> Any:
    out = subprocess.run(["ip", "-n", namespace, "-j", *arguments], capture_output=True, text=True, check=True).stdout
    return json.loads(out or "[]")


def routes(namespace: str) -> list[tuple[str, ...]]:
    """(destination, gateway, source, scope) of both families, without those that the kernel adds itself."""
    fields = ("dst", "gateway", "prefsrc", "scope")
    found = [each for family in ("-4", "-6") for each in shown(namespace, family, "route")]
    return sorted(tuple(each.get(key, "") for key in fields) for each in found if each.get("protocol") != "kernel")


def addresses(namespace: str) -> list[tuple[str, int, str]]:
    return sorted(
        (each["local"], each["prefixlen"], each["scope"])
        for link in shown(namespace, "addr")
        for each in link["addr_info"]
        if each["scope"] == "global"
    )


@pytest.mark.skipif(not (MACHINES / "ptp").exists(), reason="CNI plugins are not installed")
def test_a_pod_has_what_ptp_and_host_local_would_give_it(plugins: Path, tmp_path: Path) -> None:
    ipam = {
        "type": "host-local",
        "dataDir": str(tmp_path / "other"),
        "ranges": [[{"subnet": each}] for each in RANGES],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
    }
    wanted = call(plugins, "ADD", {"cniVersion": "1.0.0", "name": "cybernetes", "type": "ptp", "ipam": ipam}, PODS[0])
    inside, outside = (addresses(PODS[0]), routes(PODS[0])), (addresses(NODE), routes(NODE))
    subprocess.run(["ip", "-n", PODS[0], "link", "del", "eth0"], check=True)

    made = call(plugins, "ADD", network(tmp_path), PODS[1])
    assert (addresses(PODS[1]), routes(PODS[1])) == inside
    assert (addresses(NODE), routes(NODE)) == outside
    for key in ("ips", "routes", "dns", "cniVersion"):
        assert made[key] == wanted[key], key
    assert [each.get("sandbox") for each in made["interfaces"]] == [None, f"/run/netns/{PODS[1]}"]
    (own,) = shown(PODS[1], "link", "show", "eth0")
    assert made["interfaces"][1]["mac"] == own["address"]
    (host,) = shown(NODE, "link", "show", made["interfaces"][0]["name"])
    assert (host["address"], host["operstate"]) == (made["interfaces"][0]["mac"], "UP")
    assert sorted(os.listdir(tmp_path / "state" / "cybernetes")) == sorted(
        os.listdir(tmp_path / "other" / "cybernetes")
    )


def test_nothing_is_left_of_a_pod_whatever_is_left_of_its_namespace(plugins: Path, tmp_path: Path) -> None:
    given = network(tmp_path)
    for pod in PODS[:2]:
        call(plugins, "ADD", given, pod)
        call(plugins, "CHECK", given, pod)
    subprocess.run(["ip", "netns", "del", PODS[1]], check=True)
    for pod in (*PODS[:2], *PODS[:3]):
        call(plugins, "DEL", given, pod)
    assert [each["ifname"] for each in shown(NODE, "link")] == ["lo"]
    assert routes(NODE) == []
    assert {each for each in os.listdir(tmp_path / "state" / "cybernetes") if each[:4] in ("10.2", "fd01")} == set()
    assert "msg" in call(plugins, "CHECK", given, PODS[0], fails=True)


def test_addresses_are_given_once_also_to_many_at_once(plugins: Path, tmp_path: Path) -> None:
    given = network(tmp_path, ("10.244.1.8/29",))
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda pod: call(plugins, "ADD", given, pod)["ips"][0]["address"], PODS[:5]))
    assert sorted(found) == [f"10.244.1.{each}/29" for each in range(10, 15)]
    assert "10.244.1.8/29" in call(plugins, "ADD", given, PODS[5], fails=True)["msg"]
    call(plugins, "DEL", given, PODS[5])
    call(plugins, "DEL", given, PODS[2])
    assert call(plugins, "ADD", given, PODS[5])["ips"][0]["address"] == found[2]


def test_an_address_that_was_given_back_comes_last_again(plugins: Path, tmp_path: Path) -> None:
    given = network(tmp_path)
    first = call(plugins, "ADD", given, PODS[0])["ips"]
    call(plugins, "DEL", given, PODS[0])
    second = call(plugins, "ADD", given, PODS[0])["ips"]
    assert [each["address"] for each in first] == ["10.244.1.2/24", "fd01:1::2/64"]
    assert [each["address"] for each in second] == ["10.244.1.3/24", "fd01:1::3/64"]


def test_the_interface_has_the_mtu_that_is_asked_for(plugins: Path, tmp_path: Path) -> None:
    made = call(plugins, "ADD", network(tmp_path, mtu=1400), PODS[0])
    assert shown(PODS[0], "link", "show", "eth0")[0]["mtu"] == 1400
    assert shown(NODE, "link", "show", made["interfaces"][0]["name"])[0]["mtu"] == 1400


@pytest.mark.skipif(not (MACHINES / "portmap").exists(), reason="CNI plugins are not installed")
def test_host_ports_are_portmap_s_work_and_go_with_the_pod(plugins: Path, tmp_path: Path) -> None:
    def rules() -> str:
        command = ["ip", "netns", "exec", NODE, "iptables-save", "-t", "nat"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    ports = [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]
    mapped = network(tmp_path, ("10.244.1.0/24",), runtimeConfig={"portMappings": ports})
    made = call(plugins, "ADD", mapped, PODS[0])
    assert made["ips"][0]["address"] == "10.244.1.2/24"
    assert "--to-destination 10.244.1.2:80" in rules()
    call(plugins, "DEL", {**mapped, "prevResult": made}, PODS[0])
    assert "10.244.1.2" not in rules()
    without = network(tmp_path, ("10.244.1.0/24",), runtimeConfig={"portMappings": []})
    call(plugins, "ADD", without, PODS[1])
    assert "10.244.1.3" not in rules()


def test_what_portmap_refuses_is_said_to_the_runtime(plugins: Path, tmp_path: Path) -> None:
    (plugins / "portmap").unlink()
    mapped = network(tmp_path, runtimeConfig={"portMappings": [{"hostPort": 1, "containerPort": 1, "protocol": "tcp"}]})
    assert "portmap" in call(plugins, "ADD", mapped, PODS[0], fails=True)["msg"]
    assert "portmap" in call(plugins, "DEL", mapped, PODS[0], fails=True)["msg"]


def test_loopback_is_set_up(plugins: Path) -> None:
    given = {"cniVersion": "0.3.1", "name": "cni-loopback", "type": "loopback"}
    made = call(plugins, "ADD", given, PODS[0], interface="lo")
    assert [each["name"] for each in made["interfaces"]] == ["lo"]
    assert "UP" in shown(PODS[0], "link", "show", "lo")[0]["flags"]
    call(plugins, "DEL", given, PODS[0], interface="lo")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"ranges": []}, "ranges"),
        ({"ranges": ["10.244.1.0"]}, "10.244.1.0"),
        ({"ranges": ["10.244.1.0/31"]}, "10.244.1.0/31"),
        ({"dataDir": 5}, "dataDir"),
        ({"cniVersion": None}, "cniVersion"),
    ],
)
def test_a_wrong_configuration_is_refused_in_words(plugins: Path, tmp_path: Path, wrong: Answer, why: str) -> None:
    answer = call(plugins, "ADD", network(tmp_path, **wrong), PODS[0], fails=True)
    assert why in answer["msg"]
    assert answer["code"] > 99
    assert [each["ifname"] for each in shown(PODS[0], "link")] == ["lo"]
