"""Carries probes and hooks out: HTTP, TCP, exec, gRPC."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.kubelet import probes
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.probes import Answer, HttpTarget, Result
from cybernetes.kubelet.runtime.api import NotFound, Runtime

_log = Log("kubelet")

USER_AGENT = "kube-probe/1.37"
# What the client would add; a header that a user empties is not to be sent.
_NOT_BY_ITSELF = ("User-Agent", "Accept", "Accept-Encoding")
BODY_MAX = 10 * 1024
REDIRECTS_MAX = 10
# A hook without a limit of its own ends with the pod's grace; this is for hooks after a start.
HOOK_TIMEOUT_S = 600.0


class Probing(Protocol):
    """What asks containers how they are, and runs their hooks."""

    async def probe(self, probe: Object, container: Object, container_id: str, pod_ip: str) -> Result: ...

    async def hook(
        self, handler: Object, container: Object, container_id: str, pod_ip: str, timeout_s: float
    ) -> str: ...

    async def close(self) -> None: ...


class Prober:
    """One set of connections for all probes of the node; connections are never reused."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def probe(self, probe: Object, container: Object, container_id: str, pod_ip: str) -> Result:
        """One try of a probe, within its time limit."""
        try:
            return await self._probe(probe, container, container_id, pod_ip)
        except Exception as odd:
            # Headers, names and paths come from users; what a library makes of them must not end the kubelet.
            _log.error("probe.bug", odd, container=container["name"])
            return Result(Answer.UNKNOWN, f"{type(odd).__name__}: {odd}")

    async def _probe(self, probe: Object, container: Object, container_id: str, pod_ip: str) -> Result:
        timeout_s = probes.timeout_s(probe)
        try:
            if "exec" in probe:
                return await self._exec(container_id, probe["exec"].get("command") or (), timeout_s)
            if "httpGet" in probe:
                target = probes.http_target(probe["httpGet"], container, pod_ip, USER_AGENT)
                return await self._http(target, timeout_s)
            if "tcpSocket" in probe:
                action = probe["tcpSocket"]
                port = probes.port_number(container, action["port"])
                return await _tcp(action.get("host") or pod_ip, port, timeout_s)
            if "grpc" in probe:
                return await _grpc(pod_ip, int(probe["grpc"]["port"]), probe["grpc"].get("service") or "", timeout_s)
        except probes.UnknownPort as wrong:
            return Result(Answer.UNKNOWN, str(wrong))
        return Result(Answer.UNKNOWN, "missing probe handler")

    async def hook(self, handler: Object, container: Object, container_id: str, pod_ip: str, timeout_s: float) -> str:
        """Run a lifecycle hook; the text of its failure, "" when it succeeded."""
        try:
            return await self._hook(handler, container, container_id, pod_ip, timeout_s)
        except Exception as odd:
            _log.error("hook.bug", odd, container=container["name"])
            return f"{type(odd).__name__}: {odd}"

    async def _hook(self, handler: Object, container: Object, container_id: str, pod_ip: str, timeout_s: float) -> str:
        if "sleep" in handler:
            await self._clock.sleep(float(handler["sleep"].get("seconds") or 0))
            return ""
        if "exec" in handler:
            command = handler["exec"].get("command") or ()
            result = await self._exec(container_id, command, timeout_s)
            failure = result.output or f'command "{" ".join(command)}" failed'
            return "" if result.answer is Answer.SUCCESS else failure
        if "httpGet" in handler:
            try:
                target = probes.http_target(handler["httpGet"], container, pod_ip, USER_AGENT)
            except probes.UnknownPort as wrong:
                return str(wrong)
            result = await self._http(target, timeout_s)
            # The answer does not count, only that there was one.
            return result.output if result.answer is Answer.FAILURE and "statuscode" not in result.output else ""
        return ""

    async def _exec(self, container_id: str, command: Sequence[str], timeout_s: float) -> Result:
        try:
            done = await self._runtime.exec_sync(container_id, command, timeout_s)
        except TimeoutError:
            shown = " ".join(command)
            return Result(Answer.FAILURE, f'command timed out: "{shown}" timed out after {timeout_s:g}s')
        except NotFound:
            return Result(Answer.UNKNOWN, f"container {container_id} not found")
        except EdgeError as error:
            return Result(Answer.UNKNOWN, error.message)
        text = (done.stdout + done.stderr)[:BODY_MAX].decode("utf-8", "replace")
        return Result(Answer.SUCCESS if done.exit_code == 0 else Answer.FAILURE, text)

    async def _http(self, target: HttpTarget, timeout_s: float) -> Result:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._get(target)
        except TimeoutError:
            why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            return Result(Answer.FAILURE, f'Get "{target.url}": {why}')
        except aiohttp.ClientConnectorError as error:
            return Result(Answer.FAILURE, f'Get "{target.url}": {_dial(target.host, target.port, error.os_error)}')
        except (aiohttp.ClientError, OSError) as error:
            return Result(Answer.FAILURE, f'Get "{target.url}": {str(error) or "EOF"}')

    async def _get(self, target: HttpTarget) -> Result:
        url = target.url
        for _ in range(REDIRECTS_MAX):
            async with self._open().get(
                URL(url, encoded=True), headers=CIMultiDict(target.headers), allow_redirects=False, ssl=False
            ) as answer:
                body = await answer.content.read(BODY_MAX)
                location = answer.headers.get("Location")
                if answer.status in (301, 302, 303, 307, 308) and location:
                    following = urljoin(url, location)
                    if urlsplit(following).hostname != urlsplit(url).hostname:
                        return Result(Answer.WARNING, "Probe terminated redirects, Response body: " + _text(body))
                    url = following
                    continue
                if 200 <= answer.status < 400:
                    return Result(Answer.SUCCESS, _text(body))
                return Result(Answer.FAILURE, f"HTTP probe failed with statuscode: {answer.status}")
        return Result(Answer.FAILURE, f'Get "{url}": stopped after {REDIRECTS_MAX} redirects')

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(force_close=True, limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=_NOT_BY_ITSELF
            )
        return self._session


async def _tcp(host: str, port: int, timeout_s: float) -> Result:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Result(Answer.FAILURE, f"dial tcp {_address(host, port)}: i/o timeout")
    except OSError as error:
        return Result(Answer.FAILURE, _dial(host, port, error))
    writer.close()
    return Result(Answer.SUCCESS)


async def _grpc(host: str, port: int, service: str, timeout_s: float) -> Result:
    import grpc.aio

    address = _address(host, port)
    shown = f"timeout: failed to connect service {_quoted(address)} within {timeout_s:g}s: context deadline exceeded"
    async with grpc.aio.insecure_channel(
        address, options=(("grpc.primary_user_agent", USER_AGENT), ("grpc.enable_http_proxy", 0))
    ) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check", request_serializer=_health_request, response_deserializer=_health_status
        )
        try:
            status = await check(service, timeout=timeout_s, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                return Result(Answer.FAILURE, shown)
            if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                return Result(Answer.FAILURE, "error: this server does not implement the grpc health protocol")
            return Result(Answer.FAILURE, f"error: health rpc probe failed: {error.details()}")
    if status == "SERVING":
        return Result(Answer.SUCCESS, "service healthy")
    return Result(Answer.FAILURE, f'service unhealthy (responded with "{status}")')


def _health_request(service: str) -> bytes:
    """grpc.health.v1.HealthCheckRequest: field 1, the service's name."""
    name = service.encode()
    assert len(name) < 128, "service names in probes are DNS labels"
    return b"\x0a" + bytes([len(name)]) + name if name else b""


def _health_status(answer: bytes) -> str:
    """grpc.health.v1.HealthCheckResponse: field 1, the serving status."""
    number = answer[1] if len(answer) >= 2 and answer[0] == 0x08 else 0
    return {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}.get(number, str(number))


def _quoted(text: str) -> str:
    return f'"{text}"'


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _dial(host: str, port: int, error: OSError) -> str:
    """A failed connection as Go words it."""
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    words = {
        errno.ECONNREFUSED: "connection refused",
        errno.EHOSTUNREACH: "no route to host",
        errno.ENETUNREACH: "network is unreachable",
        errno.ETIMEDOUT: "connection timed out",
        errno.ECONNRESET: "connection reset by peer",
    }
    number = error.errno or 0
    why = words.get(number) or (os.strerror(number).lower() if number else str(error))
    return f"dial tcp {_address(host, port)}: connect: {why}"


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")
