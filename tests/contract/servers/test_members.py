"""Machines of one control plane tell each other of a new authority through a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.base.private_file import write_private
from cybernetes.client.api import ApiClient
from cybernetes.client.target import SECRETS
from cybernetes.install import agreement, authority, members, rotation
from cybernetes.install import pki as machine
from cybernetes.install.authority import FRONT_PROXY
from cybernetes.install.joining.authorities import SHARED_FILES
from cybernetes.run import files
from cybernetes.run.config import ApiServerConfig, ClusterConfig, StoreConfig
from cybernetes.run.layout import Layout
from cybernetes.testing.apiserver import serving_apiserver

CLOCK = SystemClock()


class Machines(msgspec.Struct):
    """first and second have the same authorities; config is the first's. The API is one that both reach."""

    config: ClusterConfig
    first: Layout
    second: Layout
    client: ApiClient

    @property
    def others(self) -> ClusterConfig:
        """The second's configuration: what it is called by."""
        api_server = msgspec.structs.replace(self.config.api_server, advertise_address="localhost")
        return msgspec.structs.replace(self.config, api_server=api_server)

    def bundles(self) -> tuple[bytes, bytes]:
        return tuple(files.front_proxy_ca(each).certificate.read_bytes() for each in (self.first, self.second))  # type: ignore[return-value]


@asynccontextmanager
async def _machines(folder: Path) -> AsyncIterator[Machines]:
    first, second = Layout(folder / "first"), Layout(folder / "second")
    async with serving_apiserver(folder) as api:
        await api.server.ready()
        store = StoreConfig(kind="etcd", endpoints=("127.0.0.1:2379",))
        port = urlsplit(api.url).port or 0
        config = ClusterConfig(api_server=ApiServerConfig(port=port), store=store, registry=False)
        files.ca(first).write(api.authority)
        machine.ensure(config, first)
        for name in SHARED_FILES:
            if (first.pki / name).exists():
                write_private(second.pki / name, (first.pki / name).read_bytes())
        machine.ensure(config, second)
        for each in (first, second):
            # Its own administrators are a group that only a running cluster gives its rights.
            write_private(each.admin_kubeconfig, api.kubeconfig())
        client = ApiClient(api.transport(), user_agent="test", clock=CLOCK)
        try:
            yield Machines(config, first, second, client)
        finally:
            await client.close()


@pytest.fixture(autouse=True)
def _nobodys_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "users"))


async def _lead(found: Machines, step: str) -> authority.Target:
    wanted = authority.target(found.first, FRONT_PROXY, step)
    await members.publish(found.client, found.first, FRONT_PROXY, wanted)
    authority.adopt(found.config, found.first, FRONT_PROXY, wanted)
    return wanted


async def _follow(found: Machines) -> None:
    admin = found.second.admin_kubeconfig.read_bytes()
    await members.follow(found.others, found.second)
    write_private(found.second.admin_kubeconfig, admin)


def test_another_machine_takes_each_step_and_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _machines(tmp_path) as found:
            await _follow(found)
            for step in authority.STEPS:
                wanted = await _lead(found, step)
                with pytest.raises(EdgeError, match=f"{members.name(found.others)}: not gone along yet"):
                    await agreement.members_reached(
                        found.client, found.config, FRONT_PROXY, wanted.bundle, CLOCK, within_s=0.05
                    )
                await _follow(found)
                assert found.bundles() == (wanted.bundle, wanted.bundle)
                await agreement.members_reached(found.client, found.config, FRONT_PROXY, wanted.bundle, CLOCK)
            assert files.front_proxy_ca(found.first).read() == files.front_proxy_ca(found.second).read()
            await members.withdraw(found.client, FRONT_PROXY)
            await members.withdraw(found.client, FRONT_PROXY)
            await _follow(found)
            [secrets] = [each async for each in found.client.pages(SECRETS, namespace=members.NAMESPACE)]
            assert not [each for each in secrets.objects() if "rotation" in each["metadata"]["name"]]

    asyncio.run(scenario())


def test_the_key_of_the_new_authority_is_nowhere_in_the_api(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _machines(tmp_path) as found:
            wanted = await _lead(found, "begin")
            secret = await found.client.get(SECRETS, "cybernetes-rotation-front-proxy-ca", namespace=members.NAMESPACE)
            assert len(secret["data"]) == 3
            assert wanted.newest.key.split(b"\n")[1] not in msgspec.json.encode(secret)
            write_private(files.members_key(found.second), bytes(32))
            former = found.bundles()[1]
            with pytest.raises(EdgeError, match="another key"):
                await members.follow(found.others, found.second)
            assert found.bundles()[1] == former

    asyncio.run(scenario())


def test_of_two_machines_that_begin_the_later_one_is_told_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _machines(tmp_path) as found:
            wanted = await _lead(found, "begin")
            own = authority.target(found.second, FRONT_PROXY, "begin")
            with pytest.raises(EdgeError, match="another machine leads"):
                await members.publish(found.client, found.second, FRONT_PROXY, own)
            await _follow(found)
            assert found.bundles() == (wanted.bundle, wanted.bundle)
            # Now it may go on with what the other has begun.
            switched = authority.target(found.second, FRONT_PROXY, "switch")
            assert switched.newest == wanted.newest
            await members.publish(found.client, found.second, FRONT_PROXY, switched)

    asyncio.run(scenario())


def test_keys_of_which_nobody_tells_the_others_are_not_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _machines(tmp_path) as found:
            admin = found.first.admin_kubeconfig.read_bytes()
            await members.follow(found.config, found.first)
            write_private(found.first.admin_kubeconfig, admin)
            await rotation.refuse_with_others(found.config, found.first, "the key of Secrets")
            await _follow(found)
            with pytest.raises(EdgeError, match=f"{members.name(found.others)} would not know it"):
                await rotation.refuse_with_others(found.config, found.first, "the key of Secrets")

    asyncio.run(scenario())
