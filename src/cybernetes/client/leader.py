"""Leader election over a Lease: of several processes with one purpose, one works.

source  client-go's tool "leaderelection": a holder that does not renew for
        `lease_s` is taken over; a holder that can't renew for `renew_s` stops by itself first
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from cybernetes.base.clock import Clock, rfc3339_micro
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient, is_reason
from cybernetes.client.events import EventRecorder, Reference
from cybernetes.client.target import LEASES

UNSEEN_RETRY_S = 0.2

_log = Log("leader")


class Terms(msgspec.Struct, frozen=True):
    """lease_s: how long others must see no renewal; renew_s: after which the holder gives up; retry_s: between tries."""

    lease_s: int = 15
    renew_s: float = 10
    retry_s: float = 2


class LeaseLost(Exception):
    """Another process may lead now; the component must stop."""


class LeaderElector:
    """`run(lead)` waits for the lease, runs `lead`, renews meanwhile, and gives the lease back at the end."""

    def __init__(
        self,
        client: ApiClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Clock,
        random: Random,
        terms: Terms = Terms(),  # noqa: B008 -- frozen
        recorder: EventRecorder | None = None,
    ) -> None:
        self.is_leader = False
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._random = random
        self._terms = terms
        self._recorder = recorder
        # The record as last seen, and when it was seen to change: clocks of others are not trusted.
        self._seen: dict[str, Any] = {}
        self._seen_at = 0.0
        # The lease as it was after our last write of it; it is written again without being read, while it is ours.
        self._ours: dict[str, Any] | None = None

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Raises LeaseLost when the lease could not be renewed in time; `lead` is cancelled then."""
        while not await self._try():
            # Who has not even seen the lease waits for a server that has just begun, not for another leader.
            wait_s = self._terms.retry_s if self._seen else min(UNSEEN_RETRY_S, self._terms.retry_s)
            await self._clock.sleep(self._random.jitter(wait_s, 0.2))
        self._announce()
        try:
            async with asyncio.TaskGroup() as group:
                renewing = group.create_task(self._renew(), name="leader.renew")
                await lead()
                renewing.cancel()
        except BaseExceptionGroup as ended:
            if ended.subgroup(LeaseLost):
                raise LeaseLost(f"{self._namespace}/{self._name}") from ended
            raise
        finally:
            if self.is_leader:
                self.is_leader = False
                await asyncio.shield(self._release())

    async def _renew(self) -> None:
        renewed = self._clock.monotonic()
        while True:
            await self._clock.sleep(self._terms.retry_s)
            if await self._try():
                renewed = self._clock.monotonic()
            elif self._held_by_other() or self._clock.monotonic() - renewed > self._terms.renew_s:
                self.is_leader = False
                raise LeaseLost

    async def _try(self) -> bool:
        """One attempt to take or renew the lease; trouble of any kind is just a failed attempt."""
        try:
            async with asyncio.timeout(self._terms.renew_s / 2):
                self.is_leader = await self._take()
        except (ApiError, EdgeError, TimeoutError) as error:
            _log.debug("leader.attempt-failed", lease=self._name, why=str(error))
            return False
        return self.is_leader

    async def _take(self) -> bool:
        if self.is_leader and self._ours is not None:
            lease, self._ours = self._ours, None
            try:
                return await self._write(lease)
            except ApiError as error:
                if not (is_reason(error, "Conflict") or is_reason(error, "NotFound")):
                    raise
        return await self._read_and_take()

    async def _read_and_take(self) -> bool:
        try:
            lease = await self._client.get(LEASES, self._name, namespace=self._namespace)
        except ApiError as error:
            if not is_reason(error, "NotFound"):
                raise
            metadata = {"name": self._name, "namespace": self._namespace}
            spec = self._spec({}, self._clock.now())
            lease = await self._client.create(LEASES, {"metadata": metadata, "spec": spec}, namespace=self._namespace)
            self._observe(lease["spec"])
            return True
        self._observe(lease.get("spec") or {})
        if self._held_by_other() and self._clock.monotonic() < self._seen_at + self._lease_s():
            return False
        return await self._write(lease)

    async def _write(self, lease: dict[str, Any]) -> bool:
        body = {**lease, "spec": self._spec(self._seen, self._clock.now())}
        self._ours = await self._client.update(LEASES, body)
        self._observe(self._ours["spec"])
        return True

    def _observe(self, spec: dict[str, Any]) -> None:
        if spec != self._seen:
            self._seen, self._seen_at = spec, self._clock.monotonic()

    def _lease_s(self) -> float:
        return float(self._seen.get("leaseDurationSeconds") or self._terms.lease_s)

    def _held_by_other(self) -> bool:
        return self._seen.get("holderIdentity", "") not in ("", self._identity)

    def _spec(self, old: dict[str, Any], now: float) -> dict[str, Any]:
        mine = old.get("holderIdentity") == self._identity
        transitions = int(old.get("leaseTransitions") or 0)
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._terms.lease_s,
            "acquireTime": old["acquireTime"] if mine and "acquireTime" in old else rfc3339_micro(now),
            "renewTime": rfc3339_micro(now),
            "leaseTransitions": transitions if mine or not old else transitions + 1,
        }

    def _announce(self) -> None:
        _log.info("leader.elected", lease=self._name, identity=self._identity)
        if self._recorder is not None:
            lease = Reference("Lease", LEASES.api_version, self._name, self._namespace)
            self._recorder.normal(lease, "LeaderElection", f"{self._identity} became leader")

    async def _release(self) -> None:
        """Let the next one lead at once instead of after `lease_s`."""
        try:
            async with asyncio.timeout(self._terms.retry_s):
                lease = await self._client.get(LEASES, self._name, namespace=self._namespace)
                if lease["spec"].get("holderIdentity") == self._identity:
                    now = rfc3339_micro(self._clock.now())
                    spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now, "acquireTime": now}
                    lease["spec"] = {**spec, "leaseTransitions": lease["spec"].get("leaseTransitions", 0)}
                    await self._client.update(LEASES, lease)
        except (ApiError, EdgeError, TimeoutError) as error:
            _log.info("leader.not-released", lease=self._name, why=str(error))
