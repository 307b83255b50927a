"""Ranges of addresses and of node ports: what is taken, what is promised, what is free.

Numbers throughout: an address is its offset in the range. The first part of a range is left to those who ask for
a certain number; picks come from the rest, and from the first part only when the rest is full.
"""

from __future__ import annotations

import ipaddress
from collections import Counter

from cybernetes.base.random import Random

# Random tries before a range is searched number by number.
TRIES_MAX = 16
# Addresses that are picked from one range.
PICKED_MAX = 1 << 20


class Pool:
    """Numbers 0 <= n < size are picked; others may be asked for.

    taken     how many holders a number has: one, but for the moment in which a Service passes it on
    promised  numbers of writes in flight
    """

    def __init__(self, size: int, reserved: int) -> None:
        self.size = size
        self.reserved = reserved
        self.taken: Counter[int] = Counter()
        self.promised: set[int] = set()

    def free(self, number: int) -> bool:
        return number not in self.promised and not self.taken[number]

    def promise(self, number: int) -> bool:
        """Hold a number for a write; False when it is not free."""
        if not self.free(number):
            return False
        self.promised.add(number)
        return True

    def pick(self, random: Random) -> int | None:
        """Hold a free number; None when there is none left."""
        for low, high in ((self.reserved, self.size), (0, self.reserved)):
            number = self._pick_between(low, high, random)
            if number is not None:
                self.promised.add(number)
                return number
        return None

    def _pick_between(self, low: int, high: int, random: Random) -> int | None:
        width = high - low
        if width <= 0:
            return None
        for _ in range(TRIES_MAX):
            number = low + random.below(width)
            if self.free(number):
                return number
        start = random.below(width)
        return next((low + (start + i) % width for i in range(width) if self.free(low + (start + i) % width)), None)

    def withdraw(self, number: int) -> None:
        """The write that held the number is over."""
        self.promised.discard(number)

    def take(self, number: int) -> None:
        self.taken[number] += 1
        self.promised.discard(number)

    def give_back(self, number: int) -> None:
        self.taken[number] -= 1
        if self.taken[number] <= 0:
            del self.taken[number]


class Addresses:
    """The service range. Its first address (the network's own) and, of IPv4, its last one are never given."""

    def __init__(self, text: str) -> None:
        self.network = ipaddress.ip_network(text)
        self.family = f"IPv{self.network.version}"
        self._count = self.network.num_addresses - (2 if self.network.version == 4 else 1)
        # Of a larger range only the first addresses are picked; who wants another one asks for it.
        size = min(self._count, PICKED_MAX)
        self.pool = Pool(size, 0 if size <= 16 else min(max(16, size // 16), 256))

    def number(self, text: str) -> int | None:
        """The number of an address; None when it is outside."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return None
        if address.version != self.network.version or address not in self.network:
            return None
        number = int(address) - int(self.network.network_address) - 1
        return number if 0 <= number < self._count else None

    def text(self, number: int) -> str:
        return str(self.network.network_address + number + 1)


class Ports:
    def __init__(self, first: int, last: int) -> None:
        self.first = first
        self.last = last
        size = last - first + 1
        self.pool = Pool(size, min(max(16, size // 32), 128))

    def number(self, port: int) -> int | None:
        return port - self.first if self.first <= port <= self.last else None
