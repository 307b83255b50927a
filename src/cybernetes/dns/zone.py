"""Services and their endpoints, folded so that any name is found by a few look-ups."""

from __future__ import annotations

from collections.abc import Iterator

from cybernetes.dns.objects import Endpoint, Port, Service, Slice


class Zone:
    """Owned by the loop. `changes` grows with every change, so that answers made before can be told apart.

    Keys are `NAMESPACE/NAME` of services. An address has the names of the services it is of (`by_address`).
    """

    def __init__(self) -> None:
        self.changes = 0
        self.services: dict[str, Service] = {}
        # How many services a namespace has, so that a name of a namespace is known to exist.
        self.namespaces: dict[str, int] = {}
        self._slices: dict[str, dict[str, Slice]] = {}
        self._by_address: dict[str, set[str]] = {}

    def reduce_service(self, key: str, old: Service | None, new: Service | None) -> None:
        self.changes += 1
        if old is not None:
            self._count(old.namespace, -1)
            self._index(key, old.addresses, add=False)
            del self.services[key]
        if new is not None:
            self._count(new.namespace, 1)
            self._index(key, new.addresses, add=True)
            self.services[key] = new

    def reduce_slice(self, key: str, old: Slice | None, new: Slice | None) -> None:
        self.changes += 1
        if old is not None:
            slices = self._slices[old.service]
            del slices[key]
            if not slices:
                del self._slices[old.service]
            self._index(old.service, _addresses(old), add=False)
            # Another slice may have the same endpoint, as happens while it moves between slices.
            for rest in slices.values():
                self._index(old.service, _addresses(rest), add=True)
        if new is not None:
            self._slices.setdefault(new.service, {})[key] = new
            self._index(new.service, _addresses(new), add=True)

    def endpoints(self, key: str) -> Iterator[tuple[Endpoint, tuple[Port, ...]]]:
        """Ready endpoints of a service with their ports, in a stable order."""
        for _, each in sorted(self._slices.get(key, {}).items()):
            for endpoint in each.endpoints:
                yield endpoint, each.ports

    def at(self, address: str) -> list[str]:
        """Keys of the services that have this address, or an endpoint with it."""
        return sorted(self._by_address.get(address, ()))

    def _count(self, namespace: str, by: int) -> None:
        count = self.namespaces.get(namespace, 0) + by
        if count:
            self.namespaces[namespace] = count
        else:
            del self.namespaces[namespace]

    def _index(self, key: str, addresses: tuple[str, ...], *, add: bool) -> None:
        for address in addresses:
            keys = self._by_address.setdefault(address, set())
            if add:
                keys.add(key)
            else:
                keys.discard(key)
            if not keys:
                del self._by_address[address]


def _addresses(of: Slice) -> tuple[str, ...]:
    return tuple(each.address for each in of.endpoints)
