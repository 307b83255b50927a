"""Ranges of addresses and of node ports: what is taken, what is promised, what is free.

Addresses are numbers here, too. The first part of a range is left to those who ask for a certain number; picks come from
the rest, and from the first part only when the rest is full.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence

from cybernetes.base.random import Random

# Random tries before a range is searched number by number.
TRIES_MAX = 16
# Addresses that are picked from one range.
PICKED_MAX = 1 << 20

# From the first number to the one beyond the last.
Span = tuple[int, int]


class Pool:
    """Numbers of `spans` are picked, of the first ones first; others may be asked for.

    taken     how many holders a number has: one, but for the moment in which a Service passes it on
    promised  numbers of writes in flight
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
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
        for low, high in self.spans:
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


def spans_of(first: int, size: int, reserved: int) -> tuple[Span, Span]:
    """reserved: how many numbers are picked only when all others are taken."""
    return (first + reserved, first + size), (first, first + reserved)


class Range:
    """Its first address (the network's own) and, of IPv4, its last one are never given."""

    def __init__(self, text: str) -> None:
        network = ipaddress.ip_network(text)
        self.family = f"IPv{network.version}"
        count = network.num_addresses - (2 if network.version == 4 else 1)
        self._first = int(network.network_address) + 1
        self._beyond = self._first + count
        # Of a larger range only the first addresses are picked; who wants another one asks for it.
        size = min(count, PICKED_MAX)
        self.spans = spans_of(self._first, size, 0 if size <= 16 else min(max(16, size // 16), 256))

    def __contains__(self, number: int) -> bool:
        return self._first <= number < self._beyond


class Addresses:
    """Those of one family: of the cluster's own range, and of others that come and go."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._ranges = [Range(own)]
        self.family = self._ranges[0].family
        self.pool = Pool(self._ranges[0].spans)

    def add(self, others: Iterable[str]) -> None:
        """The ranges that there are beside the own one, in place of those before. What is taken stays taken."""
        self._ranges = [Range(each) for each in dict.fromkeys((self._own, *others))]
        self.pool.spans = [span for each in self._ranges for span in each.spans]

    def number(self, text: str) -> int | None:
        """The number of an address; None when it is in no range."""
        number = number_of(text, self.family)
        return number if number is not None and any(number in each for each in self._ranges) else None

    def text(self, number: int) -> str:
        return str(ipaddress.IPv4Address(number) if self.family == "IPv4" else ipaddress.IPv6Address(number))


def number_of(text: str, family: str) -> int | None:
    """None for what is no address of the family."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return int(address) if f"IPv{address.version}" == family else None


class Ports:
    def __init__(self, first: int, last: int) -> None:
        self.first = first
        self.last = last
        size = last - first + 1
        self.pool = Pool(spans_of(first, size, min(max(16, size // 32), 128)))

    def number(self, port: int) -> int | None:
        return port if self.first <= port <= self.last else None
