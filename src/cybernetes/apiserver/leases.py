"""Store leases that let objects of some kinds end by themselves: Events, an hour after their last write."""

from __future__ import annotations

from cybernetes.base.clock import Clock
from cybernetes.model.resource import Resource
from cybernetes.store.api import Store

EVENT_TTL_S = 3600
# Objects written within this time share a lease; each lives up to this much longer than its TTL.
SHARED_S = 60


class Leases:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lease = 0
        self._until = 0.0

    async def lease_for(self, row: Resource) -> int:
        """The lease that a write of this resource gets; 0 for none."""
        if row.kind != "Event":
            return 0
        now = self._clock.monotonic()
        if not self._lease or now >= self._until:
            self._lease = await self._store.grant(EVENT_TTL_S + SHARED_S)
            self._until = now + SHARED_S
        return self._lease
