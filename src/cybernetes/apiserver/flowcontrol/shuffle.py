"""Shuffle sharding: each flow has a few of a level's queues, and shares all of them with hardly any other flow."""

from __future__ import annotations

import hashlib
from functools import lru_cache


@lru_cache(maxsize=8192)
def hand(schema: str, distinguisher: str, queues: int, size: int) -> tuple[int, ...]:
    """`size` different queues of 0..queues-1, always the same for a flow."""
    digest = hashlib.sha256(f"{schema}\0{distinguisher}".encode()).digest()
    value = int.from_bytes(digest[:16], "little")
    dealt: list[int] = []
    for i in range(min(size, queues)):
        value, card = divmod(value, queues - i)
        # The n-th of those that were not dealt yet.
        for before in sorted(dealt):
            if card >= before:
                card += 1
        dealt.append(card)
    return tuple(dealt)
