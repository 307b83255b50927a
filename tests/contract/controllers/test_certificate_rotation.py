"""A node's certificates are asked for anew before they end: of the real API, approved and signed by the controllers."""

import asyncio

import pytest
from node_credentials import allow_nodes_to_renew, put_first_certificates, running, signing_controllers

from apiserver_fixture import serving_apiserver
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SeededRandom, SystemRandom
from cybernetes.client import kubeconfig
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import FileTransport
from cybernetes.run.config import ClusterConfig, NodeConfig
from cybernetes.run.layout import Layout
from cybernetes.run.start import Setting
from cybernetes.run.start.rotation import EARLIEST, SPREAD, Rotation, due, of_node
from cybernetes.wire.http.message import Request

CLOCK, RANDOM = SystemClock(), SystemRandom()


@pytest.mark.parametrize("seed", range(5))
def test_when_a_certificate_is_asked_for_anew(seed):
    terms = pki.Terms(CLOCK.now(), RANDOM, 10_000)
    own = pki.client(pki.ca("ca", terms), "ann", (), terms)
    starts, ends = pki.validity(own.certificate)
    at = due(own.certificate, SeededRandom(seed))
    assert EARLIEST <= (at - starts) / (ends - starts) <= EARLIEST + SPREAD


def test_a_kubelet_renews_its_certificates_and_goes_on_with_them(tmp_path):
    async def scenario():
        async with serving_apiserver(tmp_path / "api") as api:
            await api.server.ready()
            admin = ApiClient(api.transport(), user_agent="test", clock=CLOCK)
            await allow_nodes_to_renew(admin)
            manager = signing_controllers(api, api.authority, CLOCK)
            layout, node = Layout(tmp_path), NodeConfig(name="n1", address="10.0.0.1")
            setting = Setting(ClusterConfig(nodes=(node,)), layout, node)
            # Most of their life is over: the time before now that they are valid from.
            terms = pki.Terms(CLOCK.now(), RANDOM, pki.BACKDATE_S // 10)
            own, serving = put_first_certificates(api, layout, terms, node.address)
            path = layout.kubeconfig("kubelet-n1")
            client = kubeconfig.connect(path, user_agent="kubelet", clock=CLOCK)
            rotated = of_node(setting)
            assert [each.wanted.signer.rpartition("/")[2] for each in rotated] == [
                "kube-apiserver-client-kubelet",
                "kubelet-serving",
            ]
            works = [manager.run(), *(Rotation(client, each, CLOCK, RANDOM).run() for each in rotated)]

            async def renewed() -> bool:
                return all(
                    each.where.certificate.read_bytes() not in (own.certificate, serving.certificate)
                    for each in rotated
                )

            async with running(works, (client, admin)):
                async with asyncio.timeout(60):
                    while not await renewed():  # noqa: ASYNC110 -- files are looked at, as anybody would
                        await asyncio.sleep(0.05)
                for each in rotated:
                    starts, ends = pki.validity(each.where.certificate.read_bytes())
                    assert ends - starts > 300 * 24 * 3600 and each.where.key.stat().st_mode & 0o777 == 0o600
                fresh = FileTransport(path, CLOCK)
                answer = await fresh.send(Request("GET", "/api/v1/nodes/n1"))
                assert answer.status == 404, "the node may ask for itself with what the file has now"
                assert (
                    kubeconfig.access(kubeconfig.load([path])).certificate == rotated[0].where.certificate.read_bytes()
                )
                await fresh.close()

    asyncio.run(scenario())
