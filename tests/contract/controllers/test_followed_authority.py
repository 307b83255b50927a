"""A joined node follows the published authority: of the real API, signed by the real controllers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from node_credentials import running, signing_controllers

from apiserver_fixture import RunningApi, serving_apiserver
from cybernetes.apiserver.bootstrap import policy
from cybernetes.auth import pki
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SystemRandom
from cybernetes.client import kubeconfig
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import Access
from cybernetes.client.target import CONFIG_MAPS, ENDPOINTS, NODES, Target
from cybernetes.install import agreement, members
from cybernetes.install.authority import CLUSTER
from cybernetes.run import files
from cybernetes.run.config import ApiServerConfig, ClusterConfig, NodeConfig
from cybernetes.run.layout import Layout
from cybernetes.run.start import Setting
from cybernetes.run.start.authority import Follower
from cybernetes.run.start.rotation import Rotation, of_node

PORT = {"name": "https", "port": 6443}
CLOCK, RANDOM = SystemClock(), SystemRandom()
NODE = NodeConfig(name="n1", address="10.0.0.1")
CONFIG = ClusterConfig(nodes=(NODE,), joined=True, api_server=ApiServerConfig(advertise_address="10.0.0.9"))


async def _until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 -- the API is looked at, as anybody would
            await asyncio.sleep(0.05)


def _join(api: RunningApi, layout: Layout) -> None:
    """What `join` leaves on a machine: the serving certificate of the former authority, here."""
    terms = pki.Terms(CLOCK.now(), RANDOM)
    who = {"names": ["n1"], "addresses": ["10.0.0.1"], "organizations": ["system:nodes"]}
    serving = pki.serving(api.authority, "system:node:n1", terms, **who)
    layout.pki.mkdir()
    where = files.kubelet_serving(layout, "n1")
    where.certificate.write_bytes(serving.certificate)
    where.key.write_bytes(serving.key)
    files.ca(layout).certificate.write_bytes(api.ca)
    own = pki.client(api.authority, "system:node:n1", ("system:nodes",), terms)
    access = Access(server=api.url, authority=api.ca, certificate=own.certificate, key=own.key)
    kubeconfig.write(layout.kubeconfig("kubelet-n1"), kubeconfig.build(access, name="c", user="system:node:n1"))


async def _allow(admin: ApiClient) -> None:
    for each in policy.load("own.yaml"):
        kind, cluster = each["kind"], each["kind"].startswith("Cluster")
        target = Target(policy.GROUP, "v1", kind.lower() + "s", kind, namespaced=not cluster)
        await admin.create(target, each, namespace=each["metadata"].get("namespace", ""))
    await admin.create(NODES, {"metadata": {"name": "n1"}})


def test_a_node_trusts_renews_and_says_so_and_leaves_what_would_lock_it_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving_apiserver(tmp_path / "api") as api:
            await api.server.ready()
            admin = ApiClient(api.transport(), user_agent="test", clock=CLOCK)
            await _allow(admin)
            layout = Layout(tmp_path)
            _join(api, layout)
            former = files.kubelet_serving(layout, "n1").certificate.read_bytes()
            following = pki.ca("following", pki.Terms(CLOCK.now(), RANDOM))
            manager = signing_controllers(api, following, CLOCK)
            setting = Setting(CONFIG, layout, NODE)
            client = kubeconfig.connect(layout.kubeconfig("kubelet-n1"), user_agent="kubelet", clock=CLOCK)
            rotations = {
                each.where.certificate.stem: Rotation(client, each, CLOCK, RANDOM) for each in of_node(setting)
            }
            follower = Follower(client, setting, rotations, CLOCK, RANDOM)

            async def said(bundle: bytes) -> bool:
                return not agreement.behind((await admin.list(NODES)).objects(), [], bundle)

            async def current() -> tuple[bytes, bytes]:
                trusted = kubeconfig.access(kubeconfig.load([layout.kubeconfig("kubelet-n1")])).authority
                return files.ca(layout).certificate.read_bytes(), trusted

            async def refuses() -> bool:
                try:
                    await follower.settle()
                except EdgeError:
                    return True
                return False

            async with running((manager.run(), follower.run()), (client, admin)):
                begun, switched = api.ca + following.certificate, following.certificate + api.ca
                await agreement.publish(admin, CONFIG, begun)
                await _until(lambda: said(begun))
                assert await current() == (begun, begun)
                assert files.kubelet_serving(layout, "n1").certificate.read_bytes() == former

                await agreement.publish(admin, CONFIG, switched)
                await _until(lambda: said(switched))
                assert await current() == (switched, switched)
                serving = files.kubelet_serving(layout, "n1")
                assert pki.is_issued_by(serving.certificate.read_bytes(), following.certificate)

                await admin.delete(NODES, "n1")
                await admin.create(NODES, {"metadata": {"name": "n1"}})
                await follower.settle()
                assert await said(switched), "of a Node that was made anew, too"

                await agreement.publish(admin, CONFIG, following.certificate)
                await _until(refuses)
                assert await current() == (switched, switched), "the API server shows a certificate of the former one"

    asyncio.run(scenario())


def test_machines_that_do_not_go_along_and_other_control_planes_are_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving_apiserver(tmp_path / "api") as api:
            await api.server.ready()
            admin = ApiClient(api.transport(), user_agent="test", clock=CLOCK)
            here = ClusterConfig(nodes=(NODE,), api_server=CONFIG.api_server)
            try:
                await agreement.accounted(admin, here)
                for name in ("n1", "far"):
                    await admin.create(NODES, {"metadata": {"name": name}})
                with pytest.raises(EdgeError, match="far: not gone along yet"):
                    await agreement.reached(admin, here, api.ca, CLOCK, within_s=0.2)
                addresses = [{"ip": "10.0.0.2"}, {"ip": "10.0.0.9"}]
                endpoints = {"metadata": {"name": "kubernetes"}, "subsets": [{"addresses": addresses, "ports": [PORT]}]}
                await admin.create(ENDPOINTS, endpoints, namespace="default")
                with pytest.raises(EdgeError, match=r"10\.0\.0\.2: machines of the control plane that don't go along"):
                    await agreement.accounted(admin, here)
                said = {"metadata": {"name": members.MEMBERS, "namespace": members.NAMESPACE}}
                told = {"second": "address=10.0.0.2 node=far"}
                await admin.create(CONFIG_MAPS, {**said, "data": told}, namespace=members.NAMESPACE)
                await agreement.accounted(admin, here)
                await agreement.reached(admin, here, api.ca, CLOCK)
                with pytest.raises(EdgeError, match=r"second: not gone along yet.*ConfigMap"):
                    await agreement.members_reached(admin, here, CLUSTER, api.ca, CLOCK, within_s=0.2)
            finally:
                await admin.close()

    asyncio.run(scenario())
