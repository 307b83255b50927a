"""Probes against servers on loopback, with the words that users see."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
import pytest
from aiohttp import web

from cybernetes.base.clock import SystemClock
from cybernetes.install.machine import free_port
from cybernetes.kubelet.prober import Prober
from cybernetes.kubelet.probes import Answer, Result
from cybernetes.kubelet.runtime.api import ExecResult
from cybernetes.kubelet.runtime.fake import FakeRuntime

CLOCK = SystemClock()
PATIENCE_S = 60
Ask = Callable[[dict[str, Any]], Awaitable[Result]]


async def _answer(request: web.Request) -> web.Response:
    bare = request.path == "/bare"
    assert request.headers.get("User-Agent") == (None if bare else "kube-probe/1.37")
    assert request.headers.get("Accept") == (None if bare else "*/*")
    assert "Accept-Encoding" not in request.headers
    if bare:
        return web.Response()
    if request.path == "/away":
        raise web.HTTPFound("http://other.test/")
    if request.path == "/near":
        raise web.HTTPFound("/ok")
    if request.path == "/slow":
        await asyncio.sleep(3600)
    return web.Response(status=200 if request.path == "/ok" else 500, text="body")


async def _ask(probe: dict[str, Any]) -> Result:
    prober = Prober(FakeRuntime(CLOCK), CLOCK)
    try:
        return await prober.probe(probe, {"name": "c"}, "id", "127.0.0.1")
    finally:
        await prober.close()


def _with_http(body: Callable[[int], Awaitable[None]]) -> None:
    async def scenario() -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", _answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        try:
            await body(site._server.sockets[0].getsockname()[1])  # type: ignore[attr-defined]
        finally:
            await runner.cleanup()

    asyncio.run(scenario())


def test_http_probes_judge_by_the_status() -> None:
    async def body(port: int) -> None:
        def get(path: str, timeout_s: int = PATIENCE_S) -> dict[str, Any]:
            return {"httpGet": {"path": path, "port": port}, "timeoutSeconds": timeout_s}

        assert await _ask(get("/ok")) == Result(Answer.SUCCESS, "body")
        assert await _ask(get("/near")) == Result(Answer.SUCCESS, "body")
        assert await _ask(get("/bad")) == Result(Answer.FAILURE, "HTTP probe failed with statuscode: 500")
        assert (await _ask(get("/away"))).answer is Answer.WARNING
        bare = get("/bare")
        bare["httpGet"]["httpHeaders"] = [{"name": name, "value": ""} for name in ("User-Agent", "Accept")]
        assert (await _ask(bare)).answer is Answer.SUCCESS
        late = await _ask(get("/slow", 1))
        assert late.answer is Answer.FAILURE
        assert late.output.startswith(f'Get "http://127.0.0.1:{port}/slow": context deadline exceeded')

    _with_http(body)


@pytest.mark.parametrize(("kind", "head"), [("tcpSocket", ""), ("httpGet", 'Get "http://127.0.0.1:{port}/": ')])
def test_refused_connections_read_as_in_go(kind: str, head: str) -> None:
    port = free_port(0)
    result = asyncio.run(_ask({kind: {"port": port}, "timeoutSeconds": PATIENCE_S}))
    wanted = head.format(port=port) + f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert result == Result(Answer.FAILURE, wanted)


def test_unknown_ports_are_no_failure_of_the_container() -> None:
    result = asyncio.run(_ask({"tcpSocket": {"port": "web"}}))
    assert result == Result(Answer.UNKNOWN, 'couldn\'t find port: web in container "c"')


def test_what_users_write_can_not_break_the_prober() -> None:
    header = {"name": "X", "value": "a\r\nb"}
    for action in (
        {"port": 1, "httpHeaders": [header]},
        {"port": 1, "path": "/\udcff"},
        {"port": 1, "host": "a" * 300},
    ):
        result = asyncio.run(_ask({"httpGet": action}))
        assert result.answer in (Answer.UNKNOWN, Answer.FAILURE)


def test_grpc_probes_ask_the_health_service() -> None:
    async def check(request: bytes, context: Any) -> bytes:
        # Field 1 of the request is the service; SERVING is 1, NOT_SERVING 2.
        return b"\x08\x01" if request == b"\x0a\x02ok" else b"\x08\x02"

    async def scenario() -> None:
        server = grpc.aio.server()
        port = server.add_insecure_port("127.0.0.1:0")
        handler = grpc.method_handlers_generic_handler(
            "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
        )
        server.add_generic_rpc_handlers((handler,))
        await server.start()
        good = await _ask({"grpc": {"port": port, "service": "ok"}, "timeoutSeconds": PATIENCE_S})
        bad = await _ask({"grpc": {"port": port}, "timeoutSeconds": PATIENCE_S})
        await server.stop(None)
        assert good == Result(Answer.SUCCESS, "service healthy")
        assert bad == Result(Answer.FAILURE, 'service unhealthy (responded with "NOT_SERVING")')
        away = await _ask({"grpc": {"port": free_port(0)}, "timeoutSeconds": 1})
        assert away.answer is Answer.FAILURE
        assert "within 1s: context deadline exceeded" in away.output

    asyncio.run(scenario())


def test_commands_and_hooks_run_in_the_container() -> None:
    class Commands(FakeRuntime):
        async def exec_sync(self, container_id: str, command: Any, timeout_s: float) -> ExecResult:
            if command == ["slow"]:
                raise TimeoutError
            if command == ["silent"]:
                return ExecResult(b"", b"", 1)
            return ExecResult(b"out", b"err", 0 if command == ["good"] else 1)

    async def scenario() -> None:
        prober = Prober(Commands(CLOCK), CLOCK)
        results = [
            await prober.probe({"exec": {"command": [each]}}, {"name": "c"}, "id", "")
            for each in ("good", "bad", "slow")
        ]
        assert results == [
            Result(Answer.SUCCESS, "outerr"),
            Result(Answer.FAILURE, "outerr"),
            Result(Answer.FAILURE, 'command timed out: "slow" timed out after 1s'),
        ]
        assert await prober.hook({"exec": {"command": ["good"]}}, {"name": "c"}, "id", "", 1) == ""
        assert await prober.hook({"exec": {"command": ["bad"]}}, {"name": "c"}, "id", "", 1) == "outerr"
        # A command that fails without a word has failed.
        silent = await prober.hook({"exec": {"command": ["silent"]}}, {"name": "c"}, "id", "", 1)
        assert silent == 'command "silent" failed'
        assert await prober.hook({"sleep": {"seconds": 0}}, {"name": "c"}, "id", "", 1) == ""
        await prober.close()

    asyncio.run(scenario())
