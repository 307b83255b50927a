"""Runs a node's DNS server: follows the API, serves, and tells the cluster where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.client.api import ApiClient
from cybernetes.client.informer import Informer
from cybernetes.client.target import ENDPOINT_SLICES, SERVICES
from cybernetes.dns import objects, snapshot
from cybernetes.dns.answer import Domain
from cybernetes.dns.config import DnsConfig
from cybernetes.dns.forward import NameServers, Upstream
from cybernetes.dns.forward_cache import CachingUpstream
from cybernetes.dns.publish import publish
from cybernetes.dns.resolve import Resolver
from cybernetes.dns.serve import DnsServer
from cybernetes.dns.zone import Zone

_log = Log("dns")
RETRY_FIRST_S = 0.5
RETRY_LIMIT_S = 10.0
# A Service or slice that somebody deleted comes back after this long.
REPUBLISH_S = 60.0
# What a start without an API server may be behind; each writing costs as much as all names are.
REMEMBER_S = 10.0


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
        forward = CachingUpstream(upstream or NameServers(config.resolv_conf, own, random), clock)
        self.resolver = Resolver(self.zone, domain, forward)
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
        """Until cancelled. Raises EdgeError when the address can't be listened on, or the snapshot can't be read."""
        self._recall()
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

    def _recall(self) -> None:
        """Answer from what was known last, until the API server has told what is."""
        found = snapshot.read(self._config.snapshot) if self._config.snapshot else None
        if found is not None:
            self.resolver.answer_from(found.zone())
            _log.info("dns.recalled", services=len(found.services), slices=len(found.slices))

    async def _complete(self) -> None:
        await self._services.wait_synced()
        await self._slices.wait_synced()
        self.resolver.answer_from(self.zone)
        if self._config.snapshot is not None:
            await self._remember(self._config.snapshot)

    async def _remember(self, path: Path) -> None:
        written = -1
        try:
            while True:
                if written != self.zone.changes:
                    changes, known = self.zone.changes, self._known()
                    await asyncio.to_thread(_keep, path, known)
                    written = changes
                await self._clock.sleep(REMEMBER_S)
        finally:
            if written != self.zone.changes:
                _keep(path, self._known())

    def _known(self) -> snapshot.Snapshot:
        return snapshot.Snapshot(dict(self._services.items), dict(self._slices.items))

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


def _keep(path: Path, known: snapshot.Snapshot) -> None:
    try:
        snapshot.write(path, known)
    except EdgeError as error:
        _log.warning("dns.not_remembered", error=str(error))
