"""From nodes to routes, masquerading and CNI configuration."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson

from cybernetes.base.errors import EdgeError
from cybernetes.network.apply import apply, remove, replace_file
from cybernetes.network.links.api import Masquerade, Route
from cybernetes.network.links.fake import FakeLinks
from cybernetes.network.links.netlink import render_masquerade
from cybernetes.network.objects import Node, decode
from cybernetes.network.plan import CNI_FILE, Desired, NetworkConfig, plan

N1 = Node("n1", ("10.244.1.0/24",), ("10.0.0.1",))
N2 = Node("n2", ("10.244.2.0/24", "fd01:2::/64"), ("10.0.0.2", "fd00::2"))
N3 = Node("n3")
# The first one, with addresses of both families.
BOTH = Node("n1", ("10.244.1.0/24", "fd01:1::/64"), ("10.0.0.1", "fd00::1"))


def config(tmp_path: Path) -> NetworkConfig:
    return NetworkConfig(
        node="n1", conf_dir=tmp_path / "net.d", state_dir=tmp_path / "state", pod_ranges=("10.244.0.0/16",)
    )


def test_other_nodes_pods_are_routed_by_their_address_of_the_same_family(tmp_path: Path) -> None:
    desired = plan([N2, BOTH, N3], config(tmp_path))
    assert desired.routes == {Route("10.244.2.0/24", "10.0.0.2"), Route("fd01:2::/64", "fd00::2")}


def test_a_node_of_one_family_in_a_cluster_of_two_lives_in_its_own(tmp_path: Path) -> None:
    lone = Node("n1", ("10.244.1.0/24", "fd01:1::/64"), ("10.0.0.1",))
    desired = plan([lone, N2], config(tmp_path))
    assert desired.routes == {Route("10.244.2.0/24", "10.0.0.2")}
    assert orjson.loads(desired.cni)["plugins"][0]["ranges"] == ["10.244.1.0/24"]
    assert desired.masquerade is not None and desired.masquerade.pods == ("10.244.1.0/24",)


def test_of_two_nodes_with_one_range_the_first_by_name_has_it(tmp_path: Path) -> None:
    twin = Node("n9", ("10.244.2.0/24",), ("10.0.0.9",))
    assert Route("10.244.2.0/24", "10.0.0.2") in plan([twin, N2, N1], config(tmp_path)).routes


def test_pods_keep_their_address_towards_the_cluster_only(tmp_path: Path) -> None:
    wanted = plan([N1, N2], config(tmp_path)).masquerade
    assert wanted is not None
    assert wanted.pods == ("10.244.1.0/24",)
    assert {"10.244.0.0/16", "10.244.2.0/24", "10.0.0.1/32", "10.0.0.2/32", "fd00::2/128"} <= set(wanted.inside)
    script = render_masquerade(wanted)
    assert "ip saddr { 10.244.1.0/24 } ip daddr != { 10.0.0.1/32, 10.0.0.2/32, 10.244.0.0/16 } masquerade" in script


def test_the_cni_configuration_has_the_node_s_ranges_and_host_ports(tmp_path: Path) -> None:
    shown = orjson.loads(plan([BOTH], config(tmp_path)).cni)
    (pair,) = shown["plugins"]
    assert pair["type"] == "cybernetes"
    assert pair["ranges"] == ["10.244.1.0/24", "fd01:1::/64"]
    assert pair["capabilities"] == {"portMappings": True}


def test_without_a_pod_range_there_are_only_routes(tmp_path: Path) -> None:
    desired = plan([Node("n1", (), ("10.0.0.1",)), N2], config(tmp_path))
    assert desired.routes
    assert (desired.cni, desired.masquerade) == (b"", None)


def test_a_node_s_json_is_read() -> None:
    body = orjson.dumps(
        {
            "metadata": {"name": "n1", "labels": {"a": "b"}},
            "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]},
            "status": {
                "addresses": [
                    {"type": "Hostname", "address": "n1"},
                    {"type": "InternalIP", "address": "10.0.0.1"},
                ]
            },
        }
    )
    assert decode(body) == N1


def test_applying_twice_is_harmless_and_removal_leaves_no_trace(tmp_path: Path) -> None:
    settings, links = config(tmp_path), FakeLinks()
    desired = plan([N1, N2], settings)

    async def run() -> None:
        await apply(desired, Desired(), links, settings.conf_dir)
        await apply(desired, Desired(), links, settings.conf_dir)
        assert await links.routes() == desired.routes
        assert links.accepted == ("10.244.0.0/16", "10.244.1.0/24", "10.244.2.0/24", "fd01:2::/64")
        assert (settings.conf_dir / CNI_FILE).read_bytes() == desired.cni
        assert (settings.conf_dir / CNI_FILE).stat().st_mode & 0o777 == 0o600
        await remove(links, settings.conf_dir)
        await remove(links, settings.conf_dir)

    asyncio.run(run())
    assert (links.table, links.masqueraded, links.accepted) == ({}, None, ())
    assert list(settings.conf_dir.iterdir()) == []


def test_routes_follow_nodes_that_go_and_move(tmp_path: Path) -> None:
    settings, links = config(tmp_path), FakeLinks()

    async def run(*nodes: Node) -> frozenset[Route]:
        await apply(plan(nodes, settings), Desired(), links, settings.conf_dir)
        return await links.routes()

    asyncio.run(run(N1, N2))
    moved = Node("n2", ("10.244.2.0/24",), ("10.0.0.22",))
    assert asyncio.run(run(N1, moved)) == {Route("10.244.2.0/24", "10.0.0.22")}
    assert asyncio.run(run(N1)) == frozenset()


def test_a_route_that_is_refused_does_not_keep_pods_from_starting(tmp_path: Path) -> None:
    settings, links = config(tmp_path), FakeLinks()
    links.refuse = 1
    refused = asyncio.run(apply(plan([BOTH, N2], settings), Desired(), links, settings.conf_dir))
    assert isinstance(refused, EdgeError)
    assert (settings.conf_dir / CNI_FILE).exists()
    assert Route("fd01:2::/64", "fd00::2") in links.table.values()


def test_a_file_is_replaced_whole_and_only_when_it_differs(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    replace_file(path, b"one")
    first = path.stat()
    replace_file(path, b"one")
    assert path.stat().st_ino == first.st_ino
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_no_masquerading_takes_the_tables_back() -> None:
    script = render_masquerade(None)
    assert "delete table ip cybernetes-network" in script
    assert "masquerade" not in script
    assert render_masquerade(Masquerade((), ())) == script
