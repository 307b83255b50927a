"""Services through the kernels of real nodes: endpoints, affinity, node ports, changes of type, life."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tests.e2e.rows.lab import ASK_UDP, Lab, Object, condition, name_of, names_of, serving

from cybernetes.client.api import PatchType
from cybernetes.client.target import ENDPOINT_SLICES, ENDPOINTS, NODES, PODS, SERVICES

HTTP = {"name": "http", "port": 80, "targetPort": 80}


def service(name: str, *ports: Object, selector: Object | None = None, **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "labels": {"svc": name}},
        "spec": {"selector": selector or {"app": name}, "ports": list(ports) or [HTTP], **spec},
    }


async def serving_pods(lab: Lab, app: str, count: int, *servers: str) -> list[str]:
    """Names of pods behind a service, on both nodes in turn."""
    nodes = names_of(await lab.nodes())
    wanted = [(f"{app}-{n}", nodes[n % len(nodes)]) for n in range(count)]
    more: Object = {"command": serving(*servers)} if servers else {}
    await asyncio.gather(*(lab.run_pod(name, labels={"app": app}, nodeName=node, **more) for name, node in wanted))
    return [name for name, _ in wanted]


async def address_of(lab: Lab, name: str) -> str:
    return str((await lab.get(SERVICES, name))["spec"]["clusterIP"])


async def node_addresses(lab: Lab) -> list[str]:
    nodes = (await lab.client.list(NODES)).objects()
    return [each["address"] for node in nodes for each in node["status"]["addresses"] if each["type"] == "InternalIP"]


async def until_reached(lab: Lab, client: str, host: str, port: int, servers: list[str], **how: Any) -> None:
    """Every server answers, none else."""
    seen: set[str] = set()

    async def all_answer() -> bool:
        seen.update(await lab.dial(client, host, port, tries=5, **how))
        return seen == set(servers)

    await lab.until(all_answer, f"{host}:{port} is {servers}", 40)


async def until_refused(lab: Lab, client: str, host: str, port: int) -> None:
    async def refused() -> bool:
        return await lab.dial(client, host, port) == []

    await lab.until(refused, f"{host}:{port} answers no more", 40)


async def until_endpoints(lab: Lab, name: str, wanted: dict[str, list[int]]) -> None:
    """wanted: pod -> ports, in Endpoints and EndpointSlices alike."""

    async def both_tell() -> bool:
        found = await lab.get(ENDPOINTS, name) if await lab.exists(ENDPOINTS, name) else {}
        old = {
            address["targetRef"]["name"]: sorted(port["port"] for port in subset["ports"])
            for subset in found.get("subsets") or []
            for address in subset.get("addresses") or []
        }
        new: dict[str, list[int]] = {}
        for each in await lab.list(ENDPOINT_SLICES, f"kubernetes.io/service-name={name}"):
            for endpoint in each["endpoints"] or []:
                if endpoint["conditions"]["ready"]:
                    ports = [port["port"] for port in each["ports"]]
                    new[endpoint["targetRef"]["name"]] = sorted(new.get(endpoint["targetRef"]["name"], []) + ports)
        return old == new == wanted

    await lab.until(both_tell, f"endpoints {wanted}")


async def test_endpoints_follow_pods(lab: Lab) -> None:
    await lab.make(SERVICES, service("basic"))
    await until_endpoints(lab, "basic", {})
    await lab.run_pod("client")
    for name in ("pod1", "pod2"):
        await lab.run_pod(name, labels={"app": "basic"})
    await until_endpoints(lab, "basic", {"pod1": [80], "pod2": [80]})
    await until_reached(lab, "client", await address_of(lab, "basic"), 80, ["pod1", "pod2"])
    for name, left in (("pod1", {"pod2": [80]}), ("pod2", {})):
        await lab.client.delete(PODS, name, namespace=lab.namespace, grace_s=0)
        await until_endpoints(lab, "basic", left)
    await until_refused(lab, "client", await address_of(lab, "basic"), 80)


async def test_each_port_leads_to_the_pods_that_have_it(lab: Lab) -> None:
    ports = ({"name": "one", "port": 80, "targetPort": "one"}, {"name": "two", "port": 81, "targetPort": "two"})
    await lab.make(SERVICES, service("multi", *ports))
    await lab.run_pod("client")
    for name, (port_name, port) in {"pod1": ("one", 100), "pod2": ("two", 101)}.items():
        declared = ({"name": port_name, "containerPort": port},)
        await lab.run_pod(name, labels={"app": "multi"}, command=serving(f"http={port}"), ports=declared)
    await until_endpoints(lab, "multi", {"pod1": [100], "pod2": [101]})
    host = await address_of(lab, "multi")
    await until_reached(lab, "client", host, 80, ["pod1"])
    await until_reached(lab, "client", host, 81, ["pod2"])


async def test_one_port_number_serves_two_protocols(lab: Lab) -> None:
    tcp = {"name": "tcp", "port": 80, "targetPort": 80, "protocol": "TCP"}
    await lab.make(SERVICES, service("both", tcp, {**tcp, "name": "udp", "protocol": "UDP"}))
    await lab.run_pod("client")
    servers = await serving_pods(lab, "both", 1, "http=80", "udp=80")
    host = await address_of(lab, "both")
    for protocol in ("http", "udp"):
        await until_reached(lab, "client", host, 80, servers, protocol=protocol)

    def only(kept: str) -> Any:
        return lambda live: live["spec"].update(ports=[{**tcp, "name": kept, "protocol": kept.upper()}])

    await lab.edit(SERVICES, "both", only("udp"))
    await until_reached(lab, "client", host, 80, servers, protocol="udp")
    await until_refused(lab, "client", host, 80)
    await lab.edit(SERVICES, "both", only("tcp"))
    await until_reached(lab, "client", host, 80, servers)


async def test_a_node_port_is_reached_on_every_node(lab: Lab) -> None:
    servers = await serving_pods(lab, "ports", 2)
    made = await lab.make(SERVICES, service("ports", type="NodePort"))
    port = made["spec"]["ports"][0]["nodePort"]
    await lab.run_pod("client")
    await until_reached(lab, "client", "ports", 80, servers)
    for address in await node_addresses(lab):
        await until_reached(lab, "client", address, port, servers)
        got = await lab.on_node(
            names_of(await lab.nodes())[0], "curl", "-sf", "-m", "5", f"http://{address}:{port}/hostname"
        )
        assert got in servers


async def _affinity(lab: Lab, name: str, kind: str) -> tuple[list[str], int, list[str]]:
    """(addresses, port, servers) of a service with affinity."""
    servers = await serving_pods(lab, name, 3)
    made = await lab.make(SERVICES, service(name, type=kind, sessionAffinity="ClientIP"))
    await lab.run_pod("client")
    if kind == "NodePort":
        return await node_addresses(lab), made["spec"]["ports"][0]["nodePort"], servers
    return [made["spec"]["clusterIP"]], 80, servers


async def _sticks(lab: Lab, host: str, port: int) -> None:
    async def one_only() -> bool:
        answers = await lab.dial("client", host, port, tries=15)
        return len(answers) == 15 and len(set(answers)) == 1

    await lab.until(one_only, f"{host} sticks to one server", 40)


async def test_affinity_of_a_cluster_address(lab: Lab) -> None:
    (host,), port, _ = await _affinity(lab, "sticky", "ClusterIP")
    await _sticks(lab, host, port)


async def test_affinity_of_a_node_port(lab: Lab) -> None:
    hosts, port, _ = await _affinity(lab, "sticky", "NodePort")
    await _sticks(lab, hosts[0], port)


async def test_affinity_of_a_cluster_address_is_switched(lab: Lab) -> None:
    (host,), port, servers = await _affinity(lab, "switched", "ClusterIP")
    await _switch(lab, host, port, servers)


async def test_affinity_of_a_node_port_is_switched(lab: Lab) -> None:
    hosts, port, servers = await _affinity(lab, "switched", "NodePort")
    await _switch(lab, hosts[0], port, servers)


async def _switch(lab: Lab, host: str, port: int, servers: list[str]) -> None:
    await _sticks(lab, host, port)
    await lab.edit(SERVICES, "switched", lambda s: s["spec"].update(sessionAffinity="None", sessionAffinityConfig=None))
    await until_reached(lab, "client", host, port, servers)
    await lab.edit(SERVICES, "switched", lambda s: s["spec"].update(sessionAffinity="ClientIP"))
    await _sticks(lab, host, port)


def _external(live: Object) -> None:
    """As a client does that changes what it means and leaves the rest: addresses and node ports are taken back."""
    target = f"target.{live['metadata']['namespace']}.svc.cluster.local"
    live["spec"].update(type="ExternalName", externalName=target)


async def _resolves_to_target(lab: Lab) -> bool:
    """The name is another one's now: an alias of the service `target`."""
    answers = await lab.dial("client", f"changing.{lab.namespace}.svc.cluster.local", 80)
    return answers == ["target-0"]


async def _change(lab: Lab, kind: str) -> None:
    """From `kind` to ExternalName and back; each is usable."""
    await serving_pods(lab, "target", 1)
    await lab.make(SERVICES, service("target"))
    servers = await serving_pods(lab, "changing", 2)
    await lab.make(SERVICES, service("changing", type=kind))
    await lab.run_pod("client")
    name = f"changing.{lab.namespace}.svc.cluster.local"
    await until_reached(lab, "client", name, 80, servers)
    before = await lab.get(SERVICES, "changing")
    await lab.edit(SERVICES, "changing", _external)
    live = await lab.get(SERVICES, "changing")
    assert "clusterIP" not in live["spec"] and "clusterIPs" not in live["spec"]
    assert "nodePort" not in live["spec"]["ports"][0]
    await lab.until(lambda: _resolves_to_target(lab), "it is an alias")
    await until_refused(lab, "client", before["spec"]["clusterIP"], 80)

    def back(live: Object) -> None:
        live["spec"].update(type=kind, externalName="", ports=[HTTP])

    await lab.edit(SERVICES, "changing", back)
    await until_reached(lab, "client", name, 80, servers)
    if kind == "NodePort":
        port = (await lab.get(SERVICES, "changing"))["spec"]["ports"][0]["nodePort"]
        await until_reached(lab, "client", (await node_addresses(lab))[0], port, servers)


async def test_a_cluster_address_becomes_an_alias_and_back(lab: Lab) -> None:
    await _change(lab, "ClusterIP")


async def test_a_node_port_becomes_an_alias_and_back(lab: Lab) -> None:
    await _change(lab, "NodePort")


async def test_the_api_server_is_a_secure_service(lab: Lab) -> None:
    found = await lab.client.get(SERVICES, "kubernetes", namespace="default")
    assert {(each["name"], each["port"]) for each in found["spec"]["ports"]} == {("https", 443)}
    everywhere = await lab.list(SERVICES, everywhere=True)
    assert ("default", "kubernetes") in [(each["metadata"]["namespace"], name_of(each)) for each in everywhere]


async def test_the_api_servers_endpoints_and_slices_agree(lab: Lab) -> None:
    endpoints = await lab.client.get(ENDPOINTS, "kubernetes", namespace="default")
    slices = (
        await lab.client.list(
            ENDPOINT_SLICES, namespace="default", label_selector="kubernetes.io/service-name=kubernetes"
        )
    ).objects()
    old = {
        (address["ip"], port["port"])
        for subset in endpoints["subsets"]
        for address in subset["addresses"]
        for port in subset["ports"]
    }
    new = {
        (address, port["port"])
        for each in slices
        for endpoint in each["endpoints"]
        for address in endpoint["addresses"]
        for port in each["ports"]
    }
    assert old == new and len(old) == 1
    await lab.run_pod("client", serviceAccountName="default")
    command = ("sh", "-c", "nc -w 3 kubernetes.default 443 </dev/null && echo open")
    assert "open" in await lab.run("client", *command)


async def test_life_of_a_services_status(lab: Lab) -> None:
    wrote = {
        "type": "StatusUpdate",
        "status": "True",
        "reason": "E2E",
        "message": "Set by e2e",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    async with lab.watching(SERVICES, "svc=told") as events:
        await lab.make(SERVICES, service("told", type="LoadBalancer"))
        await events.until("ADDED")
        patch = {
            "metadata": {"annotations": {"patchedstatus": "true"}},
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}},
        }
        patched = await lab.patch(SERVICES, "told", patch, PatchType.STRATEGIC, "status")
        assert patched["status"]["loadBalancer"]["ingress"][0]["ip"] == "203.0.113.1"
        await events.until("MODIFIED", lambda s: s["metadata"].get("annotations", {}).get("patchedstatus") == "true")
        await lab.edit(SERVICES, "told", lambda s: s["status"].update(conditions=[wrote]), "status")
        await events.until("MODIFIED", lambda s: condition(s, "StatusUpdate"))
        await lab.patch(SERVICES, "told", {"metadata": {"labels": {"step": "patched"}}}, PatchType.STRATEGIC)
        await events.until("MODIFIED", lambda s: s["metadata"]["labels"].get("step") == "patched")
        assert condition(await lab.get(SERVICES, "told", "status"), "StatusUpdate")["reason"] == "E2E"
        await lab.delete(SERVICES, "told")
        await events.until("DELETED")


async def test_a_collection_of_services_is_deleted(lab: Lab) -> None:
    for name, kind in (("one", "ClusterIP"), ("two", "ClusterIP"), ("three", "NodePort")):
        await lab.make(
            SERVICES,
            {
                **service(name, type=kind),
                "metadata": {"name": name, "labels": {"e2e": "x" if name != "three" else "y"}},
            },
        )
    await lab.delete_all(SERVICES, "e2e=x")
    assert names_of(await lab.list(SERVICES)) == ["three"]


async def test_endpoints_come_soon(lab: Lab) -> None:
    """From a Service to its Endpoints: the median and the slowest of twenty."""
    await lab.run_pod("one", labels={"app": "soon"})
    loop = asyncio.get_running_loop()
    began: dict[str, float] = {}
    took: list[float] = []
    async with lab.watching(ENDPOINTS) as events:
        for n in range(20):
            name = f"soon-{n}"
            began[name] = loop.time()
            await lab.make(SERVICES, service(name, selector={"app": "soon"}))
            await events.until("ADDED", lambda e, name=name: name_of(e) == name and e.get("subsets"))  # type: ignore[misc]
            took.append(loop.time() - began[name])
    assert sorted(took)[10] < 20 and max(took) < 50


async def test_a_pod_reaches_itself_through_its_service(lab: Lab) -> None:
    await lab.run_pod("self")
    await lab.make(SERVICES, service("self"))
    await until_reached(lab, "self", await address_of(lab, "self"), 80, ["self"])


async def test_an_internal_policy_keeps_traffic_on_its_node(lab: Lab) -> None:
    servers = await serving_pods(lab, "near", 2)
    await lab.make(SERVICES, service("near", internalTrafficPolicy="Local"))
    for node, server in zip(names_of(await lab.nodes()), servers, strict=True):
        await lab.run_pod(f"client-{server}", nodeName=node)
        await until_reached(lab, f"client-{server}", await address_of(lab, "near"), 80, [server])


async def test_an_external_policy_keeps_the_clients_address(lab: Lab) -> None:
    node, other = names_of(await lab.nodes())
    await lab.run_pod("local", labels={"app": "local"}, nodeName=node)
    made = await lab.make(SERVICES, service("local", type="NodePort", externalTrafficPolicy="Local"))
    addresses = await node_addresses(lab)
    port = made["spec"]["ports"][0]["nodePort"]

    async def source() -> str:
        got = await lab.on_node(other, "curl", "-sf", "-m", "3", f"http://{addresses[0]}:{port}/clientip", check=False)
        return got.rpartition(":")[0]

    assert await lab.until(source, "the node with the pod answers", 30) == addresses[1]
    assert await lab.on_node(node, "curl", "-s", "-m", "2", f"http://{addresses[1]}:{port}/clientip", check=False) == ""


async def test_host_ports_differ_by_address_or_protocol(lab: Lab) -> None:
    node = names_of(await lab.nodes())[0]
    address = (await node_addresses(lab))[0]
    wanted = {"pod1": ("127.0.0.1", "TCP"), "pod2": (address, "TCP"), "pod3": (address, "UDP")}
    for name, (host_ip, protocol) in wanted.items():
        port = {"containerPort": 8080, "hostPort": 54323, "hostIP": host_ip, "protocol": protocol}
        await lab.run_pod(name, nodeName=node, command=serving("http=8080", "udp=8080"), ports=(port,))
    curl = ("curl", "-sf", "-m", "3", "--connect-timeout", "3")
    await lab.until(
        lambda: lab.on_node(node, *curl, "http://127.0.0.1:54323/hostname", check=False), "loopback answers", 20
    )
    assert await lab.on_node(node, *curl, "http://127.0.0.1:54323/hostname") == "pod1"
    assert await lab.on_node(node, *curl, f"http://{address}:54323/hostname") == "pod2"
    await lab.run_pod("client", nodeName=node)
    assert await lab.dial("client", address, 54323, protocol="udp") == ["pod3"]
    assert await lab.on_node(node, *curl, "--interface", address, "http://127.0.0.1:54323/hostname") == "pod1"
    assert (await lab.on_node(node, sys.executable, "-c", ASK_UDP, address, "54323")).strip() == "pod3"
