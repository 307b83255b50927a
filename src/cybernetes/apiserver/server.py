"""The API server: caches, security, handlers, put together; `handle` answers one request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cybernetes.apiserver.cache.feed import Caches
from cybernetes.apiserver.chain import FILTERS, Passage, chain, passage_of
from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.core import Core
from cybernetes.apiserver.metrics import Metrics
from cybernetes.apiserver.nonresource import NonResource
from cybernetes.apiserver.outbound import Outbound
from cybernetes.apiserver.registry import Registry
from cybernetes.apiserver.routing import route
from cybernetes.apiserver.security import Security, build_security
from cybernetes.auth.user import AUTHENTICATED, MASTERS, User
from cybernetes.base.clock import Clock
from cybernetes.base.errors import Bug
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.store.api import Store
from cybernetes.wire.http.message import Request, Response

log = Log("apiserver")

# The server as a client of itself.
SELF = User("system:apiserver", groups=(MASTERS, AUTHENTICATED))


class ApiServer:
    """`start`, then `handle` requests until `stop`; or `run`, which does both until it is cancelled.

    security  builds authentication, authorization and admission once the caches are loaded
    """

    def __init__(
        self,
        store: Store,
        config: ServerConfig,
        clock: Clock,
        random: Random,
        *,
        registry: Registry | None = None,
        security: Callable[[Core, ServerConfig], Security] = build_security,
    ) -> None:
        self.registry = registry or Registry()
        self.config = config
        self._security = security
        caches = Caches(store, clock)
        self.core = Core(store, self.registry, caches, clock, random, shared_store=config.shared_store)
        self.core.metrics = Metrics()
        self._outbound = Outbound(config)
        self.core.outbound = self._outbound.to
        checks = {"ping": lambda: "", "log": lambda: "", "etcd": self._check_feed}
        self._nonresource = NonResource(
            checks, {**checks, "informer-sync": self._check_feed, "shutdown": self._check_stop}
        )
        self.core.nonresource = self._nonresource.answer
        self._chain = chain(self.core, FILTERS, lambda passage: route(self.core, passage))
        self._running: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Load everything, then follow the store."""
        core = self.core
        await core.caches.load()
        self._running = asyncio.get_running_loop().create_task(core.caches.run(), name="apiserver.caches")
        security = self._security(core, self.config)
        core.authenticator = security.authenticator
        core.authorizer = security.authorizer
        core.admission = security.admission
        log.info("apiserver.started", revision=core.caches.revision)

    async def stop(self) -> None:
        """End watches, then the caches; requests in flight should be drained before."""
        self._stopping = True
        self.core.caches.end_watches()
        await self._outbound.close()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))
            self._running = None

    async def run(self) -> None:
        await self.start()
        if self._running is None:
            raise Bug("the API server did not start")
        try:
            await asyncio.shield(self._running)
        finally:
            await self.stop()

    def begin_shutdown(self) -> None:
        """Tell load balancers by /readyz that no new requests should come; end watches so that clients move on."""
        self._stopping = True
        self.core.caches.end_watches()

    async def handle(self, request: Request) -> Response:
        return await self._answer(passage_of(request))

    async def handle_as(self, user: User, request: Request) -> Response:
        """A request of this process itself: authenticated by the caller."""
        passage = passage_of(request)
        passage.user = user
        return await self._answer(passage)

    async def _answer(self, passage: Passage) -> Response:
        started = self.core.clock.monotonic()
        response = await self._chain(passage)
        info = passage.info
        known = info.is_resource and self.registry.find(info.group, info.version, info.resource) is not None
        took_s = self.core.clock.monotonic() - started
        self.core.metrics.observe(info, known=known, code=response.status, took_s=took_s)
        return response

    def _check_feed(self) -> str:
        running = self._running is not None and not self._running.done()
        return "" if running else "the caches do not follow the store"

    def _check_stop(self) -> str:
        return "process is shutting down" if self._stopping else ""


class InProcessTransport:
    """Transport to a server in this process, as a user that needs no credential."""

    def __init__(self, server: ApiServer, user: User = SELF) -> None:
        self._server = server
        self._user = user

    async def send(self, request: Request) -> Response:
        return await self._server.handle_as(self._user, request)

    async def close(self) -> None:
        return None
