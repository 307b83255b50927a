"""Pods and nodes that reach each other; the API server as a proxy to both pods and services."""

from __future__ import annotations

import asyncio
import sys

import orjson
import pytest
from tests.e2e.rows.lab import ASK_UDP, Lab, name_of, names_of, serving
from tests.e2e.rows.test_rows_services import service, until_endpoints

from cybernetes.client.target import SERVICES

_VERBS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


async def _one_a_node(lab: Lab) -> dict[str, str]:
    """Pod -> its address; on each node one that answers over HTTP and UDP."""
    nodes = names_of(await lab.nodes())
    made = await asyncio.gather(
        *(
            lab.run_pod(f"netserver-{n}", nodeName=node, command=serving("http=80", "udp=8081"))
            for n, node in enumerate(nodes)
        )
    )
    return {name_of(each): each["status"]["podIP"] for each in made}


@pytest.mark.parametrize(("protocol", "port"), [("http", 80), ("udp", 8081)])
async def test_pods_reach_pods_on_every_node(lab: Lab, protocol: str, port: int) -> None:
    servers = await _one_a_node(lab)
    for client in servers:
        for server, address in servers.items():
            assert await lab.dial(client, address, port, protocol=protocol) == [server]


@pytest.mark.parametrize("protocol", ["http", "udp"])
async def test_nodes_reach_pods_on_every_node(lab: Lab, protocol: str) -> None:
    servers = await _one_a_node(lab)
    for node in names_of(await lab.nodes()):
        for server, address in servers.items():
            if protocol == "http":
                told = await lab.on_node(node, "curl", "-sf", "-m", "5", f"http://{address}:80/hostname")
            else:
                told = await lab.on_node(node, sys.executable, "-c", ASK_UDP, address, "8081")
            assert told.strip() == server


async def test_a_host_network_pod_reaches_pods(lab: Lab) -> None:
    servers = await _one_a_node(lab)
    await lab.run_pod("host", hostNetwork=True, command=("sleep", "1000"))
    for server, address in servers.items():
        told = await lab.run("host", "wget", "-qO-", f"http://{address}/hostname")
        assert told == server


@pytest.mark.parametrize("place", ["pods/agnhost:80", "services/e2e:portname"])
async def test_every_verb_passes_the_proxy(lab: Lab, place: str) -> None:
    await _behind_a_service(lab)
    for verb in _VERBS:
        for path in ("/proxy", "/proxy/", f"/proxy/some/path/with/{verb}"):
            body = b"foo" if verb in ("PATCH", "POST", "PUT") else b""
            whole = f"/api/v1/namespaces/{lab.namespace}/{place}{path}"
            if path == "/proxy" and verb in ("GET", "HEAD"):
                moved = await lab.client.raw(verb, whole, query={"method": [verb]})
                assert (moved.status, dict(moved.headers)["Location"]) == (301, f"{whole}/?method={verb}")
                continue
            told = await lab.raw(whole, verb, body, {"method": verb})
            if verb != "HEAD":
                answer = orjson.loads(told)
                assert (answer["Method"], answer["Body"]) == (verb, body.decode())
                assert answer["Path"].startswith(path.removeprefix("/proxy") or "/"), answer


async def _behind_a_service(lab: Lab) -> None:
    port = {"name": "portname", "port": 80, "targetPort": 80}
    await lab.make(SERVICES, service("e2e", port, selector={"app": "agnhost"}))
    await lab.run_pod("agnhost")
    await until_endpoints(lab, "e2e", {"agnhost": [80]})


async def test_ports_and_schemes_of_proxied_services_and_pods(lab: Lab) -> None:
    numbers = {"dest1": 160, "dest2": 162, "tlsdest1": 460, "tlsdest2": 462}
    ports = tuple({"name": name, "containerPort": port} for name, port in numbers.items())
    await lab.run_pod("proxied", command=serving("http=160", "http=162", "tls=460", "tls=462"), ports=ports)
    wanted = (
        ("portname1", 80, "dest1"),
        ("portname2", 81, 162),
        ("tlsportname1", 443, "tlsdest1"),
        ("tlsportname2", 444, 462),
    )
    ports = tuple({"name": name, "port": port, "targetPort": target} for name, port, target in wanted)
    await lab.make(SERVICES, service("proxied", *ports))
    await until_endpoints(lab, "proxied", {"proxied": [160, 162, 460, 462]})
    expected = {
        "services/proxied:portname1": 160, "services/http:proxied:portname1": 160, "services/proxied:portname2": 162,
        "services/http:proxied:portname2": 162, "services/proxied:80": 160, "services/https:proxied:tlsportname1": 460,
        "services/https:proxied:tlsportname2": 462, "services/https:proxied:443": 460,
        "pods/proxied:160": 160, "pods/http:proxied:160": 160, "pods/proxied:162": 162, "pods/https:proxied:460": 460,
        "pods/https:proxied:462": 462,
    }  # fmt: skip
    for place, port in expected.items():
        assert await lab.raw(f"{place}/proxy/port") == str(port), place
