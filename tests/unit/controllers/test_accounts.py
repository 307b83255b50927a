"""Tokens of service accounts are made, shared, renewed, and replaced when they are refused."""

from __future__ import annotations

import asyncio

import orjson
import virtual
from fake_api import FakeApi

from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import not_found
from cybernetes.client.api import ApiClient
from cybernetes.client.target import PODS
from cybernetes.controllers.accounts import AccountTransport
from cybernetes.wire.http.message import Request, Response


class Server:
    """Gives out numbered tokens of one hour; `valid` are believed."""

    def __init__(self) -> None:
        self.clock = virtual.VirtualClock()
        self.api = FakeApi(self.clock)
        self.issued = 0
        self.valid: set[str] = set()
        self.refused = 0

    async def send(self, request: Request) -> Response:
        await asyncio.sleep(0.01)
        if request.path.endswith("/token"):
            if "kube-system/job-controller" not in self.api.objects.get(("", "serviceaccounts"), {}):
                error = not_found("", "serviceaccounts", "job-controller")
                return Response(404, [], orjson.dumps(error.status()))
            self.issued += 1
            token = f"token-{self.issued}"
            self.valid = {token}
            expires = rfc3339(self.clock.now() + 3600)
            return Response(201, [], orjson.dumps({"status": {"token": token, "expirationTimestamp": expires}}))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.valid:
            self.refused += 1
            return Response(401, [], b"Unauthorized")
        return await self.api.send(request)

    async def close(self) -> None: ...


def connect() -> tuple[Server, ApiClient]:
    server = Server()
    manager = ApiClient(server, user_agent="test", clock=server.clock)
    account = AccountTransport(server, manager, "job-controller", server.clock)
    return server, ApiClient(account, user_agent="test", clock=server.clock)


def test_many_requests_share_one_token_and_the_account_is_made_when_missing() -> None:
    async def main() -> None:
        server, client = connect()
        await asyncio.gather(*(client.list(PODS) for _ in range(20)))
        assert server.issued == 1
        assert [each["metadata"]["name"] for each in server.api.all("serviceaccounts")] == ["job-controller"]

    virtual.run(main())


def test_a_token_is_renewed_before_it_ends() -> None:
    async def main() -> None:
        server, client = connect()
        await client.list(PODS)
        await asyncio.sleep(2800)
        await client.list(PODS)
        assert server.issued == 1
        await asyncio.sleep(200)
        await client.list(PODS)
        assert server.issued == 2 and server.refused == 0

    virtual.run(main())


def test_a_refused_token_is_replaced_once_for_all() -> None:
    async def main() -> None:
        server, client = connect()
        await client.list(PODS)
        server.valid = set()
        await asyncio.gather(*(client.list(PODS) for _ in range(10)))
        assert server.issued == 2

    virtual.run(main())
