"""What makes a value unreadable without a key, and readable with it; and the envelope that a cluster has by itself."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Protocol

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.random import Random

# No value of ours begins with a zero byte; so values from before encryption was on are told apart.
MARK = b"\0cyb1"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
KEY_BYTES = 32


class Envelope(Protocol):
    def seal(self, key: str, value: bytes) -> bytes: ...

    def open(self, key: str, sealed: bytes) -> bytes:
        """Raises EdgeError when it can't be opened."""
        ...

    def is_current(self, sealed: bytes) -> bool:
        """Whether `seal` would protect it as well as it is."""
        ...

    def lacks(self, sealed: bytes) -> bool:
        """Whether `prepare` must be awaited before this value can be opened."""
        ...

    async def prepare(self, sealed: bytes) -> None:
        """Fetch what opening it takes, from outside of this process. Raises EdgeError."""
        ...


class Local:
    """Part of envelopes that have all their keys."""

    def lacks(self, sealed: bytes) -> bool:
        return False

    async def prepare(self, sealed: bytes) -> None:
        return None


class AesGcm(Local):
    """AES-256-GCM; the first key seals, all open. A value moved to another path of the store does not open.

    keys  newest first, KEY_BYTES each, not empty
    """

    def __init__(self, keys: Sequence[bytes], random: Random) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._first = _key_id(keys[0])
        self._random = random

    def seal(self, key: str, value: bytes) -> bytes:
        # Random nonces are safe for 2**32 values of one key: a thousand a second for seven weeks. Rotate.
        nonce = self._random.token(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, value, key.encode())
        return MARK + self._first + nonce + sealed

    def open(self, key: str, sealed: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        if not sealed.startswith(MARK):
            return sealed
        at = len(MARK) + _KEY_ID_BYTES
        cipher = self._ciphers.get(sealed[len(MARK) : at])
        if cipher is None:
            raise unreadable(key, "the key that sealed it is not among the store's keys")
        try:
            return cipher.decrypt(sealed[at : at + _NONCE_BYTES], sealed[at + _NONCE_BYTES :], key.encode())
        except InvalidTag as error:
            raise unreadable(key, "it was changed on disk, or belongs to another path") from error

    def is_current(self, sealed: bytes) -> bool:
        return sealed.startswith(MARK + self._first)


def parse_keys(text: str) -> list[bytes]:
    """ValueError when a line is no key, or there is none."""
    try:
        keys = [base64.b64decode(line, validate=True) for line in text.split()]
    except binascii.Error as error:
        raise ValueError(f"a key of the store is not base64: {error}") from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"the store needs at least one key, each of {KEY_BYTES} bytes in base64")
    return keys


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"cybernetes store key " + key).digest()[:_KEY_ID_BYTES]


def unreadable(key: str, why: str) -> EdgeError:
    return EdgeError("decrypt", key, why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
