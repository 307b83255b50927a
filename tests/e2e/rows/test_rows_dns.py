"""Names in pods: what the cluster's DNS answers, and what /etc/hosts and /etc/resolv.conf hold."""

from __future__ import annotations

from tests.e2e.rows.lab import Lab, Object, is_ready, name_of, pod
from tests.e2e.rows.test_rows_services import address_of, service

from cybernetes.client.target import PODS, SERVICES

_RESOLVE = """
import socket, sys
for name in sys.argv[1:]:
    try:
        found = sorted({each[4][0] for each in socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)})
    except socket.gaierror:
        found = []
    print(name, *found)
"""


async def resolve(lab: Lab, *names: str) -> dict[str, list[str]]:
    """Addresses that the C library of a pod finds."""
    told = await lab.run("client", "/usr/bin/python3", "-c", _RESOLVE, *names)
    return {line.split()[0]: line.split()[1:] for line in told.splitlines()}


async def until_resolved(lab: Lab, wanted: dict[str, list[str]]) -> None:
    last: list[dict[str, list[str]]] = []

    async def as_wanted() -> bool:
        last[:] = [await resolve(lab, *wanted)]
        return last[0] == wanted

    await lab.until(as_wanted, f"{wanted}")


async def look_up(lab: Lab, kind: str, name: str) -> str:
    """What nslookup says of records of a kind."""
    return await lab.run("client", "nslookup", f"-type={kind}", name, check=False)


async def test_names_of_the_cluster(lab: Lab) -> None:
    await lab.run_pod("client")
    found = await lab.client.get(SERVICES, "kubernetes", namespace="default")
    address = [found["spec"]["clusterIP"]]
    names = (
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "kubernetes.default.svc.cluster.local.",
    )
    await until_resolved(lab, dict.fromkeys(names, address))


async def test_the_pods_own_name_is_in_its_hosts_file(lab: Lab) -> None:
    """As `getent hosts` finds it: the host name, and with a subdomain the whole name."""
    await lab.make(SERVICES, service("sub", clusterIP="None"))
    live = await lab.run_pod("client", hostname="querier", subdomain="sub", labels={"app": "sub"})
    address = live["status"]["podIP"]
    hosts = await lab.run("client", "cat", "/etc/hosts")
    whole = f"querier.sub.{lab.namespace}.svc.cluster.local"
    assert [address, whole, "querier"] in [line.split() for line in hosts.splitlines()]
    assert await resolve(lab, "querier", whole) == {"querier": [address], whole: [address]}


async def test_services_headless_ones_and_their_ports(lab: Lab) -> None:
    await lab.run_pod("server", labels={"app": "headless"})
    client = await lab.run_pod("client", labels={"app": "normal"})
    await lab.make(SERVICES, service("headless", clusterIP="None"))
    await lab.make(SERVICES, service("normal"))
    server = await lab.get(PODS, "server")
    addresses = {"headless": [server["status"]["podIP"]], "normal": [await address_of(lab, "normal")]}
    wanted = {}
    for name, found in addresses.items():
        for suffix in ("", f".{lab.namespace}", f".{lab.namespace}.svc", f".{lab.namespace}.svc.cluster.local"):
            wanted[name + suffix] = found
    await until_resolved(lab, wanted)
    assert client["status"]["podIP"] not in str(addresses["headless"])
    for name in addresses:
        srv = await look_up(lab, "srv", f"_http._tcp.{name}.{lab.namespace}.svc.cluster.local")
        assert f"{name}.{lab.namespace}.svc.cluster.local" in srv and " 80 " in srv, srv
    ptr = await lab.run("client", "nslookup", addresses["normal"][0])
    assert f"normal.{lab.namespace}.svc.cluster.local" in ptr


async def test_a_pod_is_found_by_host_name_and_subdomain(lab: Lab) -> None:
    await lab.run_pod("client")
    await lab.make(SERVICES, service("sub", clusterIP="None"))
    live = await lab.run_pod("named", hostname="host", subdomain="sub", labels={"app": "sub"})
    address = [live["status"]["podIP"]]
    names = (f"host.sub.{lab.namespace}.svc.cluster.local", f"host.sub.{lab.namespace}", "sub")
    await until_resolved(lab, dict.fromkeys(names, address))
    dashed = live["status"]["podIP"].replace(".", "-")
    assert await resolve(lab, f"{dashed}.{lab.namespace}.pod.cluster.local") == {
        f"{dashed}.{lab.namespace}.pod.cluster.local": address
    }


async def test_an_alias_follows_its_service(lab: Lab) -> None:
    await lab.run_pod("client")
    alias = {"metadata": {"name": "alias"}, "spec": {"type": "ExternalName", "externalName": "foo.example.com"}}
    await lab.make(SERVICES, alias)
    name = f"alias.{lab.namespace}.svc.cluster.local"

    async def is_alias_of(target: str) -> bool:
        return target in await look_up(lab, "cname", name)

    await lab.until(lambda: is_alias_of("foo.example.com"), "an alias of foo")
    await lab.patch(SERVICES, "alias", {"spec": {"externalName": "bar.example.com"}})
    await lab.until(lambda: is_alias_of("bar.example.com"), "an alias of bar")

    def become_address(live: Object) -> None:
        live["spec"] = {"type": "ClusterIP", "ports": [{"port": 80, "name": "http", "protocol": "TCP"}]}

    live = await lab.edit(SERVICES, "alias", become_address)
    await until_resolved(lab, {name: [live["spec"]["clusterIP"]]})


async def test_a_pod_uses_the_name_servers_that_it_names(lab: Lab) -> None:
    config = {
        "nameservers": ["1.1.1.1"],
        "searches": ["resolv.conf.local"],
        "options": [{"name": "ndots", "value": "2"}],
    }
    await lab.run_pod("client", dnsPolicy="None", dnsConfig=config)
    told = (await lab.run("client", "cat", "/etc/resolv.conf")).splitlines()
    assert told == ["search resolv.conf.local", "nameserver 1.1.1.1", "options ndots:2"] or sorted(told) == sorted(
        ["search resolv.conf.local", "nameserver 1.1.1.1", "options ndots:2"]
    )


async def test_a_pods_resolver_knows_the_domains_of_its_namespace(lab: Lab) -> None:
    await lab.run_pod("client")
    told = (await lab.run("client", "cat", "/etc/resolv.conf")).splitlines()
    assert f"search {lab.namespace}.svc.cluster.local svc.cluster.local cluster.local" in told[0] or any(
        line.startswith(f"search {lab.namespace}.svc.cluster.local svc.cluster.local cluster.local") for line in told
    )
    assert "nameserver 10.96.0.10" in told and "options ndots:5" in told


async def test_names_over_tcp(lab: Lab) -> None:
    await lab.make(PODS, pod("client"))
    await lab.until_object(PODS, "client", is_ready, "the client is ready")
    script = (
        "import socket,struct;"
        "q=struct.pack('>6H',1,256,1,0,0,0)+b'\\x0akubernetes\\x07default\\x03svc\\x07cluster\\x05local\\x00'+struct.pack('>2H',1,1);"
        "s=socket.create_connection(('10.96.0.10',53),3);s.sendall(struct.pack('>H',len(q))+q);a=s.recv(600);"
        "print(socket.inet_ntoa(a[-4:]))"
    )
    found = await lab.client.get(SERVICES, "kubernetes", namespace="default")
    assert (await lab.run("client", "/usr/bin/python3", "-c", script)).strip() == found["spec"]["clusterIP"]
    assert name_of(found) == "kubernetes"
