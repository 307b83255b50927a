"""The HTTPS port of a component: its health for everybody, all else for whom the API server lets see it.

enters   requests; files with authorities; a registry of metrics; named checks
leaves   /healthz, /livez, /readyz; /metrics, /configz to users whose rights on these paths say so
holds    a certificate or token is always looked at, who has none is system:anonymous; system:masters may everything
fails    401, 403 as Status; a port that is taken is reported, and tried again
source   Kubernetes apiserver library: secure serving, delegated authentication and authorization
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cybernetes.auth.certificates import Authorities, Reader
from cybernetes.auth.user import ANONYMOUS, MASTERS, UNAUTHENTICATED, User
from cybernetes.base.clock import Clock, SystemClock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.api import ApiClient
from cybernetes.client.reviews import Reviews
from cybernetes.run import files
from cybernetes.run.layout import Layout
from cybernetes.run.notify import notify_ready
from cybernetes.wire.http import health
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.renewed import RenewedTls, signature
from cybernetes.wire.http.server import HttpServer

# Another process of the same kind may be about to end.
AGAIN_S = 10.0
DRAIN_S = 0.5
# What each component says as long as it answers.
ALIVE: health.Checks = {"ping": lambda: "", "log": lambda: ""}
_JSON = ("Content-Type", "application/json")
_NOBODY = User(ANONYMOUS, groups=(UNAUTHENTICATED,))

_log = Log("serving")


class Gate:
    """client: asks as the component. authorities: files of those that sign clients, and front proxies."""

    def __init__(self, client: ApiClient, authorities: tuple[Path, Path], clock: Clock) -> None:
        self._reviews = Reviews(client, clock)
        self._files = authorities
        self._seen = signature(authorities)
        self._reader = Reader(self._trusted(), clock)

    async def check(self, request: Request) -> None:
        """Raises ApiError 401 or 403; EdgeError when the API server can't be asked."""
        user = await self._identify(request)
        if MASTERS in user.groups:
            return
        attributes = {"path": request.path, "verb": request.method.lower()}
        if not await self._reviews.may(user, "nonResourceAttributes", attributes):
            message = f'forbidden: User "{user.name}" cannot {attributes["verb"]} path "{request.path}"'
            raise ApiError(403, "Forbidden", message, {})

    async def _identify(self, request: Request) -> User:
        if request.certificate is not None:
            self._renew()
            user = self._reader.user(request.certificate, request.headers)
            if user is not None:
                return user
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return _NOBODY
        return await self._reviews.user_of(token)

    def _renew(self) -> None:
        seen = signature(self._files)
        if seen != self._seen:
            self._reader.trust(self._trusted())
            self._seen = seen

    def _trusted(self) -> Authorities:
        client, front_proxy = (each.read_bytes() for each in self._files)
        return Authorities(client, front_proxy)


class Serving:
    """checks: of `healthz`, `livez` and `readyz`. shown: what /configz tells."""

    def __init__(
        self,
        gate: Gate,
        checks: Mapping[str, health.Checks],
        registry: CollectorRegistry,
        shown: Mapping[str, Any],
    ) -> None:
        self._gate = gate
        self._health = health.Health(checks)
        self._registry = registry
        self._shown = shown

    async def handle(self, request: Request) -> Response:
        healthy = self._health.answer(request) if request.method in ("GET", "HEAD") else None
        if healthy is not None:
            return healthy
        try:
            await self._gate.check(request)
        except ApiError as refusal:
            return _status(refusal)
        except EdgeError as broken:
            _log.warning("serving.not_asked", path=request.path, why=str(broken))
            return _status(ApiError(500, "InternalError", "Internal Server Error: the API server can't be asked", {}))
        if request.method in ("GET", "HEAD"):
            if request.path == "/metrics":
                return Response(200, [("Content-Type", CONTENT_TYPE_LATEST)], generate_latest(self._registry))
            if request.path == "/metrics/slis":
                return self._health.slis()
            if request.path == "/configz":
                return Response(200, [_JSON], orjson.dumps(self._shown))
        return Response(404, [("Content-Type", "text/plain; charset=utf-8")], b"404 page not found\n")


def _status(refusal: ApiError) -> Response:
    return Response(refusal.code, [_JSON], orjson.dumps(refusal.status()))


async def serve_beside(
    run: Callable[[], Awaitable[None]],
    serving: Serving,
    where: tuple[str, int],
    own: files.CertificateFiles,
    layout: Layout,
) -> None:
    """Run a component, which counts as started at once, and serve as long as it runs."""
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listen(serving, where, own, layout), name="serving")
        notify_ready()
        await run()
        listening.cancel()


async def listen(serving: Serving, where: tuple[str, int], own: files.CertificateFiles, layout: Layout) -> None:
    """Serve at (address, port) until cancelled. Port 0: nothing is served."""
    address, port = where
    if not port:
        return
    clock = SystemClock()
    http = HttpServer(serving.handle)
    said = False
    try:
        while True:
            try:
                tls = RenewedTls(own.certificate, own.key, _authorities(layout), clock.monotonic)
                await http.listen(address, port, tls.context)
                break
            except OSError as broken:
                if not said:
                    _log.error("serving.not_served", address=address, port=port, why=broken)
                said = True
                await clock.sleep(AGAIN_S)
        _log.info("serving.started", address=address, port=port)
        await asyncio.Event().wait()
    finally:
        await http.stop(DRAIN_S)


def gate(client: ApiClient, layout: Layout, clock: Clock) -> Gate:
    return Gate(client, _authorities(layout), clock)


def _authorities(layout: Layout) -> tuple[Path, Path]:
    return files.ca(layout).certificate, files.front_proxy_ca(layout).certificate
