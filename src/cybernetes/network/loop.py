"""Follows Nodes and keeps this node's network up with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.client.api import ApiClient
from cybernetes.client.informer import Informer
from cybernetes.client.target import NODES
from cybernetes.network.apply import apply
from cybernetes.network.links.api import Links
from cybernetes.network.objects import Node, decode
from cybernetes.network.plan import Desired, NetworkConfig, plan

_log = Log("network")
# Nodes come in bursts; one pass for all that changed within this.
SETTLE_S = 0.05
# Routes that somebody else removed come back after this long.
RESYNC_S = 60.0
RETRY_FIRST_S = 0.2
RETRY_LIMIT_S = 30.0


class Network:
    """ready: called once, after the first pass; the own node may have no pod range by then."""

    def __init__(
        self,
        client: ApiClient,
        links: Links,
        clock: Clock,
        random: Random,
        config: NetworkConfig,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.applied = Desired()
        self._links = links
        self._clock = clock
        self._random = random
        self._config = config
        self._ready = ready
        self._wake = asyncio.Event()
        self._nodes = Informer(client, NODES, decode, clock=clock, random=random)
        self._nodes.on_change(self._changed)

    async def run(self) -> None:
        """Until cancelled; what was set up stays."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._nodes.run(), name="network.nodes")
            group.create_task(self._follow(), name="network.follow")
            group.create_task(self._tick(), name="network.tick")

    def _changed(self, key: str, old: Node | None, new: Node | None) -> None:
        self._wake.set()

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(RESYNC_S)
            self._wake.set()

    async def _follow(self) -> None:
        await self._nodes.wait_synced()
        failures = 0
        while True:
            self._wake.clear()
            failed = await self._apply()
            if failed is not None:
                wait_s = backoff(failures, first_s=RETRY_FIRST_S, limit_s=RETRY_LIMIT_S, random=self._random)
                failures += 1
                _log.warning("network.refused", error=failed, retry_s=round(wait_s, 3))
                await self._clock.sleep(wait_s)
                continue
            failures = 0
            await self._wake.wait()
            await self._clock.sleep(SETTLE_S)

    def _tell_ready(self) -> None:
        ready, self._ready = self._ready, lambda: None
        ready()

    async def _apply(self) -> EdgeError | None:
        """What failed. A node that no route leads to does not keep this one from being ready."""
        desired = plan(self._nodes.items.values(), self._config)
        try:
            refused = await apply(desired, self.applied, self._links, self._config.conf_dir)
        except EdgeError as error:
            return error
        if desired.cni and not self.applied.cni:
            _log.info("network.ready", node=self._config.node, routes=len(desired.routes))
        self.applied = desired
        self._tell_ready()
        return refused
