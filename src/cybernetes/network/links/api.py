"""What a node's network consists of, as plans see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class Route(msgspec.Struct, frozen=True, order=True):
    """destination: a range as CIDR text; gateway: the address of a node."""

    destination: str
    gateway: str


class Masquerade(msgspec.Struct, frozen=True):
    """Traffic from `pods` leaves with the node's address, unless it goes to one of `inside`. Sorted CIDR texts."""

    pods: tuple[str, ...]
    inside: tuple[str, ...]


class Links(Protocol):
    """Every method may be repeated. Raises EdgeError."""

    async def routes(self) -> frozenset[Route]:
        """The routes that were added here, by this process or an earlier one."""
        ...

    async def add_route(self, route: Route) -> None:
        """Add it, in place of any route of ours to the same destination."""
        ...

    async def remove_route(self, route: Route) -> None:
        """A route that is gone already is removed."""
        ...

    async def masquerade(self, wanted: Masquerade | None) -> None:
        """Set what is masqueraded; None takes it back."""
        ...

    async def accept_forwarding(self, pods: Sequence[str]) -> None:
        """Have traffic from and to these ranges forwarded where the machine drops what nobody accepts; () ends it.

        Docker sets such a policy on the machines that it is installed on.
        """
        ...

    async def keep_routers(self) -> None:
        """Have interfaces that got routes from a router go on hearing it, when the machine forwards IPv6 itself.

        Linux makes a machine that forwards deaf to routers, and its default route would end.
        """
        ...

    async def set_sysctls(self, values: Mapping[str, str]) -> None:
        """Names with slashes, below /proc/sys."""
        ...
