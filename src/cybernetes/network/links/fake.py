"""A node's network in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.network.links.api import Masquerade, Route


class FakeLinks:
    """Implements Links. refuse: how many of the next calls fail."""

    def __init__(self) -> None:
        self.refuse = 0
        self.table: dict[str, Route] = {}
        self.masqueraded: Masquerade | None = None
        self.accepted: tuple[str, ...] = ()
        self.sysctls: dict[str, str] = {}
        # Whether it was asked for before anything was forwarded.
        self.routers_kept = False

    async def routes(self) -> frozenset[Route]:
        return frozenset(self.table.values())

    async def add_route(self, route: Route) -> None:
        self._refuse(route.destination)
        self.table[route.destination] = route

    async def remove_route(self, route: Route) -> None:
        self._refuse(route.destination)
        if self.table.get(route.destination) == route:
            del self.table[route.destination]

    async def masquerade(self, wanted: Masquerade | None) -> None:
        self._refuse("masquerade")
        self.masqueraded = wanted

    async def accept_forwarding(self, pods: Sequence[str]) -> None:
        self.accepted = tuple(pods)

    async def keep_routers(self) -> None:
        self.routers_kept = not self.sysctls.get("net/ipv6/conf/all/forwarding")

    async def set_sysctls(self, values: Mapping[str, str]) -> None:
        self.sysctls.update(values)

    def _refuse(self, target: str) -> None:
        if self.refuse:
            self.refuse -= 1
            raise EdgeError("change", target, "refused", outcome=Outcome.NOT_DONE)
