"""Calls to the server as a client makes them: one loop per test, JSON in and out."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson

from apiserver_fixture import RunningApi
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request, Response

Object = dict[str, Any]


class Client:
    def __init__(self, transport: HttpTransport) -> None:
        self.transport = transport

    async def send(self, method: str, path: str, body: Any = None, **query: str) -> Response:
        headers = {"user-agent": "contract/1"}
        if method == "PATCH":
            headers["content-type"] = query.pop("content", "application/merge-patch+json")
        elif body is not None:
            headers["content-type"] = "application/json"
        if "accept" in query:
            headers["accept"] = query.pop("accept")
        data = b"" if body is None else orjson.dumps(body)
        return await self.transport.send(Request(method, path, {k: [v] for k, v in query.items()}, headers, data))

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Object]:
        answer = await self.send(method, path, body, **query)
        assert isinstance(answer.body, bytes)
        return answer.status, orjson.loads(answer.body)

    async def ok(self, method: str, path: str, body: Any = None, **query: str) -> Object:
        status, obj = await self.call(method, path, body, **query)
        assert status in (200, 201), obj
        return obj

    async def namespace(self, name: str) -> str:
        """A namespace with its service account; the path of it."""
        await self.ok("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        path = f"/api/v1/namespaces/{name}"
        await self.ok("POST", f"{path}/serviceaccounts", {"metadata": {"name": "default"}})
        return path

    @asynccontextmanager
    async def watch(self, path: str, **query: str) -> AsyncIterator[Callable[[], Awaitable[Object | None]]]:
        """Yields `next_event()`: None once the stream has ended."""
        answer = await self.send("GET", path, watch="1", **query)
        assert answer.status == 200, answer.body
        assert not isinstance(answer.body, bytes)
        chunks, rest = answer.body.__aiter__(), b""

        async def next_event() -> Object | None:
            nonlocal rest
            while b"\n" not in rest:
                try:
                    rest += await asyncio.wait_for(chunks.__anext__(), 60)
                except StopAsyncIteration:
                    return None
            line, rest = rest.split(b"\n", 1)
            event: Object = orjson.loads(line)
            return event

        try:
            yield next_event
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]


def run(api: RunningApi, test: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        transport = api.transport()
        try:
            await test(Client(transport))
        finally:
            await transport.close()

    asyncio.run(main())


def config_map(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}, "data": {"key": name}}


def pod(name: str, **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "app", "image": "app"}], **spec}}


def token(start: str, revision: int) -> str:
    data = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
