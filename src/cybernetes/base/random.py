"""Randomness, behind a protocol: the same seed gives the same run."""

from __future__ import annotations

import os
import random
from typing import Protocol

# The alphabet of generated names: no vowels, so that no word is spelled by chance.
NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


# Of the digit that tells a UUID's variant two bits are given.
_VARIANT = {f"{digit:x}": f"{digit & 3 | 8:x}" for digit in range(16)}


class Random(Protocol):
    def below(self, limit: int) -> int:
        """0 <= n < limit."""
        ...

    def jitter(self, base: float, fraction: float) -> float:
        """base, up to `fraction` longer."""
        ...

    def token(self, size: int) -> bytes:
        """`size` bytes; from the system's secure source outside a simulation."""
        ...


class SeededRandom:
    """Deterministic; for simulations and tests only."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, limit: int) -> int:
        return self._random.randrange(limit)

    def jitter(self, base: float, fraction: float) -> float:
        return base * (1 + fraction * self._random.random())

    def token(self, size: int) -> bytes:
        return self._random.randbytes(size)


class SystemRandom(SeededRandom):
    def __init__(self) -> None:
        super().__init__(int.from_bytes(os.urandom(8), "big"))

    def token(self, size: int) -> bytes:
        return os.urandom(size)


def uid(source: Random) -> str:
    """A UUID of version 4."""
    text = source.token(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:]}"


def name_suffix(source: Random, size: int = 5) -> str:
    return "".join(NAME_ALPHABET[source.below(len(NAME_ALPHABET))] for _ in range(size))
