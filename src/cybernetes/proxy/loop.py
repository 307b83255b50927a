"""Follows Services, EndpointSlices and the own Node, and keeps the kernel's rules up with them."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.base.memory import give_back
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.client.api import ApiClient
from cybernetes.client.informer import Informer
from cybernetes.client.reflector import Selection
from cybernetes.client.target import ENDPOINT_SLICES, NODES, SERVICES
from cybernetes.proxy import decode
from cybernetes.proxy.config import ProxyConfig
from cybernetes.proxy.dataplane import Dataplane
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.health import Health
from cybernetes.proxy.objects import PROTOCOLS, SERVICES_SELECTOR, SLICES_SELECTOR, NodeFacts, Service, Slice, unpack
from cybernetes.proxy.state import PortView, State

_log = Log("proxy")
UDP = PROTOCOLS["UDP"]
RETRY_FIRST_S = 0.1
RETRY_LIMIT_S = 30.0


class Flows(Protocol):
    """Connections that the kernel remembers, and that new rules do not touch."""

    async def clean(self, views: Sequence[PortView]) -> int:
        """Forget UDP flows to endpoints that these service ports no longer have; returns how many."""
        ...


class Proxy:
    """planes: one Dataplane for each family. ready: called once, when all rules are in place."""

    def __init__(
        self,
        client: ApiClient,
        planes: Sequence[Dataplane],
        flows: Flows,
        clock: Clock,
        random: Random,
        config: ProxyConfig,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.state = State(NodeFacts(config.node))
        self.health = Health(clock, config)
        self._planes = planes
        self._flows = flows
        self._clock = clock
        self._random = random
        self._config = config
        self._ready = ready
        self._wake = asyncio.Event()
        self._settings = Settings()
        # Which ports of which services have rules, by family, so that ports which are gone are known.
        self._ports: dict[int, dict[str, tuple[str, ...]]] = {plane.family: {} for plane in planes}
        self._services = Informer(
            client, SERVICES, decode.service, clock=clock, random=random, selection=Selection(labels=SERVICES_SELECTOR)
        )
        self._slices = Informer(
            client,
            ENDPOINT_SLICES,
            decode.endpoint_slice,
            clock=clock,
            random=random,
            selection=Selection(labels=SLICES_SELECTOR),
        )
        self._node = Informer(
            client,
            NODES,
            decode.node,
            clock=clock,
            random=random,
            selection=Selection(fields=f"metadata.name={config.node}"),
        )
        self._services.on_change(self._service_changed)
        self._slices.on_change(self._slice_changed)
        self._node.on_change(self._node_changed)

    async def run(self) -> None:
        """Until cancelled; rules stay installed."""
        try:
            async with asyncio.TaskGroup() as group:
                for informer in (self._services, self._slices, self._node):
                    group.create_task(informer.run(), name=f"proxy.{informer.target.plural}")
                group.create_task(self.health.run(), name="proxy.health")
                group.create_task(self._sync(), name="proxy.sync")
                group.create_task(self._tick(), name="proxy.tick")
        finally:
            for plane in self._planes:
                await plane.close()

    def _service_changed(self, key: str, old: Service | None, new: Service | None) -> None:
        self.state.reduce_service(key, new)
        self._changed()

    def _slice_changed(self, key: str, old: Slice | None, new: Slice | None) -> None:
        self.state.reduce_slice(key, old, new)
        self._changed()

    def _node_changed(self, key: str, old: NodeFacts | None, new: NodeFacts | None) -> None:
        if new is None:
            self.health.leaving = True
            return
        self.health.leaving = new.leaving
        self.state.reduce_node(new)
        self._changed()

    def _changed(self) -> None:
        self.health.queued()
        self._wake.set()

    async def _sync(self) -> None:
        for informer in (self._services, self._slices, self._node):
            await informer.wait_synced()
        failures = 0
        complete = False
        while True:
            started = self._clock.monotonic()
            try:
                if not complete or self._settings != self._wanted_settings():
                    await self._install()
                    # What planning everything has taken is as much as what stays.
                    give_back()
                    complete = True
                    _log.info("rules.installed", services=len(self._services.items))
                    self._tell_ready()
                else:
                    await self._change()
                failures = 0
                self.health.synced()
            except EdgeError as error:
                # What the kernel holds is not known any more: compare with a dump.
                complete = False
                wait_s = backoff(failures, first_s=RETRY_FIRST_S, limit_s=RETRY_LIMIT_S, random=self._random)
                failures += 1
                _log.warning("rules.refused", error=error, retry_s=round(wait_s, 3))
                await self._clock.sleep(wait_s)
                continue
            complete = await self._wait(_pause_s(self._clock.monotonic() - started, self._config.sync_min_s))

    def _tell_ready(self) -> None:
        ready, self._ready = self._ready, lambda: None
        ready()

    async def _wait(self, pause_s: float) -> bool:
        """After the pause, until something changed; False when the rules were found disturbed."""
        await self._clock.sleep(pause_s)
        while True:
            await self._wake.wait()
            if self.state.changed or self._settings != self._wanted_settings():
                return True
            self._wake.clear()
            if not await self._undisturbed():
                return False
            self.health.synced()

    async def _tick(self) -> None:
        """Have the rules looked at now and then, also when nothing changes."""
        while True:
            await self._clock.sleep(self._config.sync_period_s)
            self._wake.set()

    async def _undisturbed(self) -> bool:
        for plane in self._planes:
            try:
                if await plane.intact():
                    continue
            except EdgeError as error:
                _log.warning("rules.unreadable", family=plane.family, error=error)
            _log.warning("rules.disturbed", family=plane.family)
            return False
        return True

    async def _install(self) -> None:
        started = self._clock.monotonic()
        self._wake.clear()
        self.state.take_changed()
        settings = self._wanted_settings()
        udp: list[PortView] = []
        for plane in self._planes:
            family = plane.family
            await plane.install(self._all_views(family, udp), settings, partial(self._view_of, family))
        self._settings = settings
        await self._after(udp, started, "rules.installed")
        self.health.set_services(self.state, tuple(self._ports))

    def _all_views(self, family: int, udp: list[PortView]) -> Iterator[PortView]:
        """Every service port, one after the other; notes which there are, and adds those of UDP to `udp`."""
        ports = self._ports[family] = {}
        for service in sorted(self.state.services):
            views = self.state.views(service, family)
            if views:
                ports[service] = tuple(view.key for view in views)
            udp += [view for view in views if view.protocol == UDP]
            yield from views

    async def _change(self) -> None:
        started = self._clock.monotonic()
        self._wake.clear()
        changed = self.state.take_changed()
        if not changed:
            return
        views: list[PortView] = []
        for plane in self._planes:
            changes = self._changes(plane.family, changed)
            if changes:
                await plane.change(changes, partial(self._view_of, plane.family))
            views += [view for view in changes.values() if view is not None]
        await self._after([view for view in views if view.protocol == UDP], started, "rules.changed")
        self.health.change_services(self.state, changed, tuple(self._ports))

    def _changes(self, family: int, services: Sequence[str]) -> dict[str, PortView | None]:
        """Every port of these services, None for those that are no longer there."""
        ports = self._ports[family]
        changes: dict[str, PortView | None] = {}
        for service in services:
            views = self.state.views(service, family)
            changes.update(dict.fromkeys(ports.pop(service, ())))
            changes.update((view.key, view) for view in views)
            if views:
                ports[service] = tuple(view.key for view in views)
        return changes

    def _view_of(self, family: int, key: str) -> PortView | None:
        service = key.rpartition("/")[0].partition(":")[0]
        return next((view for view in self.state.views(service, family) if view.key == key), None)

    async def _after(self, udp: Sequence[PortView], started: float, event: str) -> None:
        """Flows of these ports are cleaned once new ones can't go wrong any more."""
        try:
            flows = await self._flows.clean(udp) if udp else 0
        except EdgeError as error:
            flows = 0
            _log.warning("flows.not_cleaned", error=error)
        took_s = self._clock.monotonic() - started
        self.health.observe(took_s)
        _log.debug(event, flows=flows, took_ms=round(took_s * 1000, 1))

    def _wanted_settings(self) -> Settings:
        config, node = self._config, self.state.node
        ranges = () if config.local_interface else config.cluster_ranges or node.pod_ranges
        by_node = bool(config.cluster_ranges and node.pod_ranges) and not config.local_interface
        return Settings(
            local_pods=LocalPods(ranges, config.local_interface),
            node_pods=LocalPods(node.pod_ranges) if by_node else None,
            masquerade_all=config.masquerade_all,
            masquerade_bit=config.masquerade_bit,
            nodeport_ips=_nodeport_ips(config.nodeport_addresses, node.addresses),
            node_ips=tuple(sorted(node.addresses)),
            service_ranges=config.service_ranges,
        )


def _pause_s(took_s: float, min_s: float) -> float:
    """From the end of one sync to the next, so that they begin `min_s` apart; long ones leave half of it to others."""
    return max(min_s - took_s, min_s / 2)


def _nodeport_ips(allowed: Sequence[str], addresses: Sequence[bytes]) -> tuple[bytes, ...] | None:
    """None for all local addresses."""
    if "primary" in allowed:
        return tuple(sorted(addresses))
    networks = [ipaddress.ip_network(each) for each in allowed]
    if not networks or any(network.prefixlen == 0 for network in networks):
        return None
    texts = [(address, ipaddress.ip_address(unpack(address))) for address in addresses]
    return tuple(sorted(address for address, text in texts if any(text in network for network in networks)))
