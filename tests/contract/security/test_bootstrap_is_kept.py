"""Bootstrap objects come back, and several API servers share the service `kubernetes`."""

import asyncio

from running_server import running

from cybernetes.apiserver.bootstrap.loop import SERVER_GONE_S, Bootstrap, Settings
from cybernetes.apiserver.server import InProcessTransport
from cybernetes.base.clock import SystemClock
from cybernetes.client.api import ApiClient

ENDPOINTS = "/api/v1/namespaces/default/endpoints/kubernetes"
ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:kube-dns"


class Late(SystemClock):
    def __init__(self, late_s):
        self._late_s = late_s

    def now(self):
        return super().now() + self._late_s


def another(server, address, clock):
    client = ApiClient(InProcessTransport(server.server), user_agent="kube-apiserver", clock=clock)
    settings = Settings(service_ranges=("10.96.0.0/12",), served=(), address=address, identity=address)
    return Bootstrap(client, settings, clock)


def test_what_is_deleted_or_emptied_comes_back():
    async def scenario():
        async with running() as server:
            lease = "/api/v1/namespaces/kube-node-lease"
            role = (await server.ask("GET", ROLE)).body
            await server.ask("PUT", ROLE, {**role, "rules": []})
            await server.ask("DELETE", "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical")
            await another(server, "10.0.0.1", SystemClock()).ensure()
            assert (await server.ask("GET", lease)).code == 200
            assert (await server.ask("GET", ROLE)).body["rules"] == role["rules"]
            assert (
                await server.ask("GET", "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical")
            ).code == 200

    asyncio.run(scenario())


def test_a_second_round_writes_nothing_but_the_lease():
    async def scenario():
        async with running() as server:
            again = another(server, "10.0.0.1", SystemClock())
            await again.ensure()
            before = await server.server.core.store.revision()
            await again.ensure()
            assert await server.server.core.store.revision() - before <= 1

    asyncio.run(scenario())


class Overtaken(InProcessTransport):
    """Just before the first update of a lease, somebody else does the same."""

    def __init__(self, server, other):
        super().__init__(server)
        self._other = other

    async def send(self, request):
        if request.method == "PUT" and "/leases/" in request.path and self._other is not None:
            other, self._other = self._other, None
            await other.ensure()
        return await super().send(request)


def test_servers_of_one_machine_keep_one_lease_together():
    async def scenario():
        async with running() as server:
            await another(server, "10.0.0.1", SystemClock()).ensure()
            overtaking = another(server, "10.0.0.1", Late(10))
            transport = Overtaken(server.server, overtaking)
            client = ApiClient(transport, user_agent="kube-apiserver", clock=Late(20))
            settings = Settings(service_ranges=("10.96.0.0/12",), served=(), address="10.0.0.1", identity="10.0.0.1")
            await Bootstrap(client, settings, Late(20)).ensure()
            assert transport._other is None, "it was overtaken"
            addresses = (await server.ask("GET", ENDPOINTS)).body["subsets"][0]["addresses"]
            assert addresses == [{"ip": "10.0.0.1"}]

    asyncio.run(scenario())


def test_servers_that_live_are_endpoints_and_those_that_do_not_are_taken_out():
    async def scenario():
        async with running() as server:
            await another(server, "10.0.0.7", SystemClock()).ensure()
            addresses = (await server.ask("GET", ENDPOINTS)).body["subsets"][0]["addresses"]
            assert [each["ip"] for each in addresses] == ["10.0.0.1", "10.0.0.7"]
            await another(server, "10.0.0.7", Late(SERVER_GONE_S + 1)).ensure()
            addresses = (await server.ask("GET", ENDPOINTS)).body["subsets"][0]["addresses"]
            assert [each["ip"] for each in addresses] == ["10.0.0.7"]

    asyncio.run(scenario())


def test_a_server_for_its_own_machine_only_is_no_endpoint():
    async def scenario():
        async with running() as server:
            await another(server, "127.0.0.1", SystemClock()).ensure()
            addresses = (await server.ask("GET", ENDPOINTS)).body["subsets"][0]["addresses"]
            assert [each["ip"] for each in addresses] == ["10.0.0.1"]

    asyncio.run(scenario())
