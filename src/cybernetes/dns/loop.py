"""Runs a node's DNS server: follows the API, serves, and tells the cluster where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.client.api import ApiClient
from cybernetes.client.informer import Informer
from cybernetes.client.target import ENDPOINT_SLICES, SERVICES
from cybernetes.dns import objects
from cybernetes.dns.answer import Domain
from cybernetes.dns.config import DnsConfig
from cybernetes.dns.forward import NameServers, Upstream
from cybernetes.dns.publish import publish
from cybernetes.dns.resolve import Resolver
from cybernetes.dns.serve import DnsServer
from cybernetes.dns.zone import Zone

_log = Log("dns")
RETRY_FIRST_S = 0.5
RETRY_LIMIT_S = 10.0
# A Service or slice that somebody deleted comes back after this long.
REPUBLISH_S = 60.0


class Dns:
    """ready: called once, when the server listens; names of the cluster may still have to be read."""

    def __init__(
        self,
        client: ApiClient,
        clock: Clock,
        random: Random,
        config: DnsConfig,
        ready: Callable[[], None] = lambda: None,
        upstream: Upstream | None = None,
    ) -> None:
        self.zone = Zone()
        domain = Domain(config.domain, config.service_address, config.cluster_ranges)
        own = (config.address, config.service_address)
        self.resolver = Resolver(self.zone, domain, upstream or NameServers(config.resolv_conf, own, random))
        self.server = DnsServer(self.resolver)
        self._client = client
        self._clock = clock
        self._random = random
        self._config = config
        self._ready = ready
        self._services = Informer(client, SERVICES, objects.service, clock=clock, random=random)
        self._slices = Informer(client, ENDPOINT_SLICES, objects.endpoint_slice, clock=clock, random=random)
        self._services.on_change(self.zone.reduce_service)
        self._slices.on_change(self.zone.reduce_slice)

    async def run(self) -> None:
        """Until cancelled. Raises EdgeError when the address can't be listened on."""
        listening = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._services.run(), name="dns.services")
            group.create_task(self._slices.run(), name="dns.slices")
            group.create_task(self._complete(), name="dns.complete")
            group.create_task(self.server.run(self._config.address, self._config.port, listening), name="dns.server")
            await listening.wait()
            self._ready()
            _log.info("dns.listening", address=self._config.address, port=self.server.port)
            group.create_task(self._publish(), name="dns.publish")

    async def _complete(self) -> None:
        await self._services.wait_synced()
        await self._slices.wait_synced()
        self.resolver.complete = True

    async def _publish(self) -> None:
        published = msgspec.structs.replace(self._config, port=self.server.port)
        failures = 0
        while True:
            try:
                await publish(self._client, published)
                failures = 0
                wait_s = REPUBLISH_S
            except (ApiError, EdgeError) as error:
                wait_s = backoff(failures, first_s=RETRY_FIRST_S, limit_s=RETRY_LIMIT_S, random=self._random)
                failures += 1
                _log.warning("dns.not_published", error=str(error), retry_s=round(wait_s, 1))
            await self._clock.sleep(wait_s)
