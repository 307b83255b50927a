"""The manager runs all controllers, each under its own service account, on the process that leads."""

from __future__ import annotations

import asyncio

import virtual
from fake_api import FakeApi
from world import template

from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.controllers.manager import ControllerManager, ManagerConfig
from cybernetes.wire.http.message import Request, Response


class _Nobody:
    """The same server, reached without a certificate: only tokens count."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.tokens: set[str] = set()

    async def send(self, request: Request) -> Response:
        self.tokens.add(request.headers["authorization"])
        return await self.api.send(request)

    async def close(self) -> None: ...


def deployment() -> dict:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template(app="web")},
    }


def test_two_managers_one_works_and_the_other_takes_over() -> None:
    async def main() -> None:
        clock = virtual.VirtualClock()
        api = FakeApi(clock)
        client = ApiClient(api, user_agent="test", clock=clock)
        nobody = _Nobody(api)

        def manager(identity: str) -> ControllerManager:
            config = ManagerConfig(identity=identity)
            return ControllerManager(client, clock, SeededRandom(1), config, accounts=nobody)

        async with asyncio.TaskGroup() as group:
            first = group.create_task(manager("one").run(), name="one")
            await asyncio.sleep(1)
            second = group.create_task(manager("two").run(), name="two")
            api.put("deployments", deployment())
            await asyncio.sleep(10)
            assert len(api.all("pods")) == 2
            first.cancel()
            await asyncio.sleep(10)
            api.edit("deployments", "web", lambda d: d["spec"].update(replicas=4))
            await asyncio.sleep(10)
            assert len(api.all("pods")) == 4
            assert api.all("leases")[0]["spec"]["holderIdentity"] == "two"
            second.cancel()
        assert "Bearer token-of-kube-system/replicaset-controller" in nobody.tokens
        assert "Bearer token-of-kube-system/deployment-controller" in nobody.tokens

    virtual.run(main())
