"""The API server: caches, security, handlers, put together; `handle` answers one request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from cybernetes.apiserver import respond
from cybernetes.apiserver.admission.webhooks.call import HttpsCaller
from cybernetes.apiserver.aggregate.loop import Availability
from cybernetes.apiserver.aggregate.plan import Local
from cybernetes.apiserver.aggregate.registration import Registration
from cybernetes.apiserver.aggregate.serve import Aggregator
from cybernetes.apiserver.audit.auditor import Auditor
from cybernetes.apiserver.audit.filters import audited
from cybernetes.apiserver.bootstrap import policy
from cybernetes.apiserver.bootstrap.flow_schemas import FlowSchemaLoop
from cybernetes.apiserver.bootstrap.loop import Bootstrap, Settings
from cybernetes.apiserver.cache.feed import Caches
from cybernetes.apiserver.catching_up import catching_up
from cybernetes.apiserver.chain import FILTERS, Filter, Passage, chain, is_long, passage_of
from cybernetes.apiserver.componentstatuses import ComponentStatuses
from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.core import Core
from cybernetes.apiserver.crd.loop import DefinitionLoop
from cybernetes.apiserver.crd.publish import Publisher
from cybernetes.apiserver.documents import Documents
from cybernetes.apiserver.flowcontrol.gate import Gate
from cybernetes.apiserver.flowcontrol.numbers import Collector
from cybernetes.apiserver.legacy_tokens import LegacyTokens
from cybernetes.apiserver.metrics import Collector as Numbers
from cybernetes.apiserver.metrics import Metrics
from cybernetes.apiserver.nonresource import NonResource, build_info
from cybernetes.apiserver.outbound import Outbound
from cybernetes.apiserver.registry import Registry
from cybernetes.apiserver.request import RequestInfo
from cybernetes.apiserver.resourcemetrics import serve as resourcemetrics
from cybernetes.apiserver.resourcemetrics.serve import ResourceMetrics
from cybernetes.apiserver.routing import route
from cybernetes.apiserver.security import Security, build_security
from cybernetes.apiserver.services.allocator import Allocator
from cybernetes.apiserver.time_limit import TimeLimit
from cybernetes.apiserver.tracing import Tracer, traced
from cybernetes.auth.certificates import Authorities
from cybernetes.auth.user import AUTHENTICATED, MASTERS, User
from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, Bug, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.client.api import ApiClient
from cybernetes.store.api import Store
from cybernetes.wire.http.message import Request, Response

log = Log("apiserver")

CANCEL_AGAIN_S = 1.0
# The server as a client of itself.
SELF = User("system:apiserver", groups=(MASTERS, AUTHENTICATED))


class ApiServer:
    """`start`, then `handle` requests until `stop`; or `run`, which does both until it is cancelled.

    security  builds authentication, authorization and admission once the caches are loaded
    audit     records requests; whoever gives it runs it, and ends it after the server
    tracer    is told where the time of requests goes
    ready     further checks of /readyz and /healthz: "" when all is well, else why not
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
        audit: Auditor | None = None,
        tracer: Tracer | None = None,
        ready: Mapping[str, Callable[[], str]] = {},
    ) -> None:
        self.registry = registry or Registry()
        self.config = config
        self._security = security
        self._close_security: Callable[[], Awaitable[None]] | None = None
        caches = Caches(store, clock, random)
        self.core = Core(store, self.registry, caches, clock, random, shared_store=config.shared_store)
        self.core.time_limit = TimeLimit(config.request_timeout_s)
        self.core.tracer = tracer
        self.core.metrics = Metrics()
        self.core.metrics.registry.register(Numbers(self.core, build_info()))
        seats = config.max_requests_inflight + config.max_mutating_requests_inflight
        self._gate = self.core.fairness = Gate(clock, seats, self.core.stored)
        self.core.metrics.registry.register(Collector(self._gate))
        self._outbound = Outbound(config)
        self.core.observed["", "componentstatuses"] = ComponentStatuses(config.components).handlers()
        self._hooks = HttpsCaller(self.core.lister)
        self.core.outbound = self._outbound
        checks = {"ping": lambda: "", "log": lambda: "", "etcd": self._check_feed}
        all_ready = {
            **checks,
            **ready,
            "informer-sync": self._check_feed,
            "poststarthook/bootstrap-objects": self._check_bootstrap,
            "shutdown": self._check_stop,
        }
        self.documents = Documents(self.core, config.advertise)
        # What may get well by itself is no reason to be killed.
        kinds = {"livez": checks, "healthz": {**checks, **ready}, "readyz": all_ready}
        self._nonresource = NonResource(kinds, self.documents.answer)
        self.core.nonresource = self._nonresource.answer
        self._chain = chain(self.core, self._filters(audit, tracer), lambda passage: route(self.core, passage))
        self._objects: Bootstrap | None = None
        self._running: asyncio.Task[None] | None = None
        self._bootstrapped = asyncio.Event()
        self._stopping = False

    def _filters(self, audit: Auditor | None, tracer: Tracer | None) -> tuple[Filter, ...]:
        filters = catching_up(FILTERS) if self.config.catches_up else FILTERS
        if audit is not None:
            self.core.audit = audit
            self.core.metrics.registry.register(audit.numbers)
            filters = audited(filters)
        return filters if tracer is None else (traced(tracer), *filters)

    async def start(self) -> None:
        """Load everything, then follow the store. Bootstrap objects are made meanwhile: `ready` waits for them."""
        core = self.core
        await core.caches.load()
        Publisher(core.lister, core.caches, core.registry, self._hooks, core.random).start()
        self._gate.follow(core.lister)
        security = self._security(core, self.config)
        core.authenticator = security.authenticator
        core.authorizer = security.authorizer
        core.admission = security.admission
        self._close_security = security.close
        core.allocator = Allocator(
            core.lister, self.config.service_ranges, self.config.node_port_range, core.clock, core.random
        )
        self._aggregator = Aggregator(core, self.config, self._within())
        core.aggregated = self._aggregator.answer
        self._running = asyncio.get_running_loop().create_task(self._follow(), name="apiserver")
        log.info("apiserver.started", revision=core.caches.revision)

    def _within(self) -> dict[tuple[str, str], Local]:
        if not self.config.resource_metrics:
            return {}
        return {(resourcemetrics.GROUP, resourcemetrics.VERSION): Local(ResourceMetrics(self.core).answer)}

    async def ready(self) -> None:
        """Return once the bootstrap objects are there. Raises what ended the server before."""
        if self._running is None:
            raise Bug("the API server was not started")
        waiting = asyncio.ensure_future(self._bootstrapped.wait())
        await asyncio.wait((waiting, self._running), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await self._running

    async def _follow(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.core.caches.run(), name="apiserver.caches")
            group.create_task(self._bootstrap(), name="apiserver.bootstrap")
            group.create_task(self._definitions(), name="apiserver.definitions")
            group.create_task(self._flow_schemas(), name="apiserver.flow-schemas")
            group.create_task(self._gate.run(), name="apiserver.fairness")
            group.create_task(self._legacy_tokens(), name="apiserver.legacy-tokens")
            group.create_task(self._registration(), name="apiserver.registration")
            group.create_task(self._availability(self._aggregator), name="apiserver.aggregate")

    def _client(self) -> ApiClient:
        """Of this server itself."""
        return ApiClient(InProcessTransport(self), user_agent="kube-apiserver", clock=self.core.clock)

    async def _availability(self, aggregator: Aggregator) -> None:
        core = self.core
        availability = Availability(
            aggregator, self._client(), core.lister, core.clock, core.random, self.documents.forget
        )
        core.remote_versions = availability.versions
        try:
            await availability.run()
        finally:
            await aggregator.close()

    async def _definitions(self) -> None:
        core = self.core
        await DefinitionLoop(self._client(), core.lister, core.clock, core.random).run()

    async def _legacy_tokens(self) -> None:
        core = self.core
        tokens = LegacyTokens(self._client(), core.lister, core.clock, core.random)
        core.legacy_token_used = tokens.used
        await tokens.run()

    async def _registration(self) -> None:
        core = self.core
        await Registration(self._client(), core.lister, core.clock, core.random).run()

    async def _flow_schemas(self) -> None:
        await self._bootstrapped.wait()
        core = self.core
        await FlowSchemaLoop(self._client(), core.lister, core.clock, core.random).run()

    async def _bootstrap(self) -> None:
        core, attempt = self.core, 0
        objects = self._objects = Bootstrap(self._client(), _bootstrap_settings(self.config, self.registry), core.clock)
        while not self._bootstrapped.is_set():
            try:
                await objects.ensure()
                self._bootstrapped.set()
            except* (ApiError, EdgeError) as failed:
                log.warning("bootstrap.failed", why="; ".join(map(str, failed.exceptions)))
                pause_s = backoff(attempt, first_s=0.5, limit_s=10.0, random=core.random)
                attempt += 1
                await core.clock.sleep(pause_s)
        await objects.run()

    async def stop(self) -> None:
        """End watches, then the caches; requests in flight should be drained before."""
        self._stopping = True
        self.core.caches.end_watches()
        await self._outbound.close()
        await self._hooks.close()
        if self._close_security is not None:
            await self._close_security()
        while self._running is not None and not self._running.done():
            # Asked again until it ends: a task group that fails just then forgets that it was cancelled.
            self._running.cancel()
            await asyncio.wait((self._running,), timeout=CANCEL_AGAIN_S)
        self._running = None

    async def wait(self) -> None:
        """Until the server ends; raises what ended it.

        A server that does not follow the store any more answers with the past: its process should end with it.
        """
        if self._running is None:
            raise Bug("the API server was not started")
        await asyncio.shield(self._running)

    async def run(self) -> None:
        await self.start()
        try:
            await self.wait()
        finally:
            await self.stop()

    def renew(self, config: ServerConfig) -> None:
        """Use other keys, certificates and authorities from now on; requests under way go on with theirs."""
        self.config = config
        authorities = Authorities(config.client_authorities, config.front_proxy_authorities)
        self.core.authenticator.renew(authorities, config.service_account_key, config.former_keys)
        self._outbound.renew(config)
        self._aggregator.renew(config)
        if self._objects is not None:
            self._objects.change(_bootstrap_settings(config, self.registry))

    def begin_shutdown(self) -> None:
        """Tell load balancers by /readyz that no new requests should come; end watches so that clients move on."""
        self._stopping = True
        self.core.caches.end_watches()

    async def handle(self, request: Request) -> Response:
        passage = passage_of(request)
        response = await self._answer(passage)
        self.core.metrics.authentications["success" if passage.user is not None else "failure"] += 1
        return response

    async def handle_as(self, user: User, request: Request) -> Response:
        """A request of this process itself: authenticated by the caller."""
        passage = passage_of(request)
        passage.user = user
        return await self._answer(passage)

    async def _answer(self, passage: Passage) -> Response:
        started, numbers, info = self.core.clock.monotonic(), self.core.metrics, passage.info
        kind = "long" if is_long(passage) else "readOnly" if info.verb in ("get", "list") else "mutating"
        numbers.in_flight[kind] += 1
        try:
            response = await respond.compressed(passage.request, await self._chain(passage))
        finally:
            numbers.in_flight[kind] -= 1
        known = info.is_resource and _is_served(self.registry, info)
        dry_run = "dryRun" in passage.request.query
        took_s = self.core.clock.monotonic() - started
        numbers.observe(info, known=known, dry_run=dry_run, code=response.status, took_s=took_s)
        if passage.decision is not None:
            numbers.authorizations["allowed" if passage.decision.allowed else "denied"] += 1
        return response

    def _check_feed(self) -> str:
        running = self._running is not None and not self._running.done()
        return "" if running else "the caches do not follow the store"

    def _check_bootstrap(self) -> str:
        return "" if self._bootstrapped.is_set() else "bootstrap objects are not there yet"

    def _check_stop(self) -> str:
        return "process is shutting down" if self._stopping else ""


def _is_served(registry: Registry, info: RequestInfo) -> bool:
    """Whether what the path names is there: of all else clients choose the words."""
    served = registry.find(info.group, info.version, info.resource)
    return served is not None and (not info.subresource or served.resource.subresource(info.subresource) is not None)


def _bootstrap_settings(config: ServerConfig, registry: Registry) -> Settings:
    host, _, port = config.advertise.rpartition(":")
    served = dict.fromkeys((each.resource.group, each.resource.version) for each in registry)
    extra = list(policy.load("own.yaml")) if config.own_components else []
    if config.resource_metrics:
        served[resourcemetrics.GROUP, resourcemetrics.VERSION] = None
        extra += policy.load("resource_metrics.yaml")
    return Settings(
        service_ranges=config.service_ranges,
        served=tuple(served),
        address=host.strip("[]"),
        port=int(port),
        identity=config.advertise,
        client_ca=config.client_authorities.decode(),
        front_proxy_ca=config.front_proxy_authorities.decode(),
        extra=tuple(extra),
    )


class InProcessTransport:
    """Transport to a server in this process, as a user that needs no credential."""

    def __init__(self, server: ApiServer, user: User = SELF) -> None:
        self._server = server
        self._user = user

    async def send(self, request: Request) -> Response:
        return await self._server.handle_as(self._user, request)

    async def close(self) -> None:
        return None
