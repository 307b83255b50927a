"""Health of the proxy and of services on this node, and metrics, over HTTP.

source  kube-proxy: /healthz and /livez on 10256, metrics on 10249, health check node ports of services with
        external traffic policy Local
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec
import orjson

from cybernetes.base.clock import Clock
from cybernetes.base.log import Log
from cybernetes.proxy.config import ProxyConfig
from cybernetes.proxy.state import PortView, State
from cybernetes.wire.http import health
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.server import HttpServer

_log = Log("proxy")
_JSON = ("Content-Type", "application/json")
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_STOP_GRACE_S = 0.1
# Upper bounds of the histogram of how long a sync takes, seconds; upstream's.
_BUCKETS = tuple(0.001 * 2**n for n in range(15))


class ServiceHealth(msgspec.Struct, frozen=True):
    """What a load balancer may ask about a service on this node."""

    namespace: str
    name: str
    port: int
    endpoints: int


class Health:
    """leaving: the node is about to go, so that load balancers should not use it any more."""

    def __init__(self, clock: Clock, config: ProxyConfig) -> None:
        self.leaving = False
        self._clock = clock
        self._config = config
        self._updated = clock.now()
        self._queued_at: float | None = None
        self._services: dict[str, ServiceHealth] = {}
        self._servers: dict[int, HttpServer] = {}
        self._changed = asyncio.Event()
        self._counts = [0] * (len(_BUCKETS) + 1)
        self._sum_s = 0.0
        self._counted = health.Health({"healthz": {"ping": lambda: ""}})

    def queued(self) -> None:
        """A change waits to be committed."""
        if self._queued_at is None:
            self._queued_at = self._clock.monotonic()

    def synced(self) -> None:
        self._queued_at = None
        self._updated = self._clock.now()

    def observe(self, took_s: float) -> None:
        self._counts[next((n for n, bound in enumerate(_BUCKETS) if took_s <= bound), len(_BUCKETS))] += 1
        self._sum_s += took_s

    @property
    def healthy(self) -> bool:
        """Whether the oldest waiting change is young enough."""
        if self._queued_at is None:
            return True
        return self._clock.monotonic() - self._queued_at <= 2 * self._config.sync_period_s

    def set_services(self, state: State, families: Sequence[int]) -> None:
        self._services = {}
        self.change_services(state, state.services, families)

    def change_services(self, state: State, keys: Iterable[str], families: Sequence[int]) -> None:
        """Take in services whose health may have changed; a pod with an address of each family is one endpoint."""
        for key in keys:
            service = state.services.get(key)
            if service is None or not service.health_port:
                self._services.pop(key, None)
                continue
            endpoints = max((_local_endpoints(state.views(key, family)) for family in families), default=0)
            namespace, _, name = key.partition("/")
            self._services[key] = ServiceHealth(namespace, name, service.health_port, endpoints)
        self._changed.set()

    async def run(self) -> None:
        """Serve until cancelled. A port that is taken is reported and left out."""
        own, metrics = HttpServer(self.handle), HttpServer(self.handle_metrics)
        try:
            await _listen(own, self._config.own_health_binds, self._config.health_port)
            await _listen(metrics, (self._config.metrics_bind,), self._config.metrics_port)
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._follow_ports()
        finally:
            for server in (own, metrics, *self._servers.values()):
                await server.stop(_STOP_GRACE_S)

    async def _follow_ports(self) -> None:
        wanted = {each.port for each in self._services.values()}
        for port in sorted(self._servers.keys() - wanted):
            await self._servers.pop(port).stop(_STOP_GRACE_S)
        for port in sorted(wanted - self._servers.keys()):
            server = HttpServer(self._handler_of(port))
            self._servers[port] = server
            await _listen(server, self._config.binds, port)

    def _handler_of(self, port: int) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            return self.answer_service(port)

        return handle

    def answer_service(self, port: int) -> Response:
        """200 while the service has endpoints on this node and the rules are up to date."""
        service = next((each for each in self._services.values() if each.port == port), None)
        if service is None:
            return Response(404)
        shown = {
            "service": {"namespace": service.namespace, "name": service.name},
            "localEndpoints": service.endpoints,
            "serviceProxyHealthy": self.healthy,
        }
        headers = [_JSON, _NOSNIFF, ("X-Load-Balancing-Endpoint-Weight", str(service.endpoints))]
        return Response(200 if service.endpoints and self.healthy else 503, headers, _tabbed(shown))

    async def handle(self, request: Request) -> Response:
        """/healthz, /livez."""
        if request.path not in ("/healthz", "/livez"):
            return Response(404)
        good = self.healthy and not (self.leaving and request.path == "/healthz")
        shown: dict[str, object] = {
            "lastUpdated": _nanoseconds(self._updated),
            "currentTime": _nanoseconds(self._clock.now()),
            "nodeEligible": not self.leaving,
        }
        if request.path == "/livez":
            del shown["nodeEligible"]
        return Response(200 if good else 503, [_JSON, _NOSNIFF], orjson.dumps(shown))

    async def handle_metrics(self, request: Request) -> Response:
        """/metrics, /metrics/slis, /healthz, /proxyMode, /configz."""
        healthy = self._counted.answer(request)
        if healthy is not None:
            return healthy
        plain = [("Content-Type", "text/plain; charset=utf-8")]
        match request.path:
            case "/metrics":
                return Response(200, [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")], self._metrics())
            case "/metrics/slis":
                return self._counted.slis()
            case "/proxyMode":
                return Response(200, plain, self._config.mode.encode())
            case "/configz":
                shown = {"kubeproxy.config.k8s.io": _shown_config(self._config)}
                return Response(200, [_JSON], orjson.dumps(shown))
            case _:
                return Response(404)

    def _metrics(self) -> bytes:
        name = "kubeproxy_sync_proxy_rules_duration_seconds"
        lines = [f"# HELP {name} SyncProxyRules latency in seconds", f"# TYPE {name} histogram"]
        total = 0
        for bound, count in zip((*map(repr, _BUCKETS), "+Inf"), self._counts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        lines += [f"{name}_sum {self._sum_s!r}", f"{name}_count {total}"]
        last = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
        lines += [
            f"# HELP {last} The last time proxy rules were successfully synced",
            f"# TYPE {last} gauge",
            f"{last} {self._updated!r}",
        ]
        return ("\n".join(lines) + "\n").encode()


def _local_endpoints(views: Iterable[PortView]) -> int:
    return len({target[:-2] for view in views for target in view.selected.healthy})


async def _listen(server: HttpServer, hosts: Sequence[str], port: int) -> None:
    for host in hosts:
        try:
            await server.listen(host, port)
        except OSError as error:
            _log.error("health.not_served", host=host, port=port, why=error)


def _tabbed(shown: dict[str, object]) -> bytes:
    """Indented by tabs, with a new line at the end, as upstream answers."""
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).replace(b"  ", b"\t") + b"\n"


def _nanoseconds(now: float) -> str:
    at = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond:06d}000Z"


def _shown_config(config: ProxyConfig) -> dict[str, object]:
    return {
        "mode": config.mode,
        "bindAddress": config.bind,
        "healthzBindAddress": f"{config.bind}:{config.health_port}",
        "metricsBindAddress": f"{config.metrics_bind}:{config.metrics_port}",
        "clusterCIDR": ",".join(config.cluster_ranges),
        "nodePortAddresses": list(config.nodeport_addresses),
    }
