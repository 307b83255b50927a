"""Which range of pod addresses belongs to which node.

source  kube-controller-manager's --cluster-cidr and --node-cidr-mask-size
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence


class Ranges:
    """The parts of one cluster range. They are numbered, so that finding a free one costs no list of all."""

    def __init__(self, cluster: str, mask_size: int) -> None:
        self._network = ipaddress.ip_network(cluster)
        assert mask_size >= self._network.prefixlen, f"a part /{mask_size} of {cluster}"
        self._mask_size = mask_size
        self._count = 1 << (mask_size - self._network.prefixlen)
        self._part_bits = self._network.max_prefixlen - mask_size
        self._taken: set[int] = set()
        self._next = 0

    def take(self) -> str | None:
        """A free part, the next after the last one taken, so that a freed one rests for long; None when none is free."""
        for step in range(min(self._count, len(self._taken) + 1)):
            number = (self._next + step) % self._count
            if number not in self._taken:
                self._taken.add(number)
                self._next = (number + 1) % self._count
                return self._text(number)
        return None

    def occupy(self, part: str) -> None:
        """A node has this part already."""
        self._taken.update(self._numbers(part))

    def free(self, part: str) -> None:
        self._taken.difference_update(self._numbers(part))

    def _text(self, number: int) -> str:
        return f"{self._network.network_address + (number << self._part_bits)}/{self._mask_size}"

    def _numbers(self, part: str) -> Sequence[int]:
        """All parts that overlap; none for a range of elsewhere."""
        network = ipaddress.ip_network(part, strict=False)
        if network.version != self._network.version or not network.overlaps(self._network):
            return ()
        base = int(self._network.network_address)
        first = max(0, int(network.network_address) - base) >> self._part_bits
        last = (min(int(network.broadcast_address), int(self._network.broadcast_address)) - base) >> self._part_bits
        return range(first, last + 1)
