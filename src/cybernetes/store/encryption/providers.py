"""The providers that have their keys in the configuration. Values are in the form that Kubernetes gives them.

aescbc has no authentication, and is there for values that another cluster left; choose another for new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cybernetes.base.random import Random
from cybernetes.store.envelope import MARK, Envelope, Local, unreadable

FOREIGN = b"k8s:enc:"
_BLOCK = 16
_CHANGED = "it was changed on disk, or belongs to another path"


class Sealer(Protocol):
    """One way of sealing with one key; the prefix that tells its values is not its business."""

    def seal(self, key: str, value: bytes) -> bytes: ...

    def open(self, key: str, sealed: bytes) -> bytes:
        """Raises ValueError."""
        ...


class GcmKey:
    def __init__(self, key: bytes, random: Random) -> None:
        self._cipher = AESGCM(key)
        self._random = random

    def seal(self, key: str, value: bytes) -> bytes:
        nonce = self._random.token(12)
        return nonce + self._cipher.encrypt(nonce, value, key.encode())

    def open(self, key: str, sealed: bytes) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], key.encode())
        except InvalidTag as wrong:
            raise ValueError(_CHANGED) from wrong


class CbcKey:
    def __init__(self, key: bytes, random: Random) -> None:
        self._algorithm = algorithms.AES(key)
        self._random = random

    def seal(self, key: str, value: bytes) -> bytes:
        start = self._random.token(_BLOCK)
        padder, encryptor = padding.PKCS7(128).padder(), Cipher(self._algorithm, modes.CBC(start)).encryptor()
        padded = padder.update(value) + padder.finalize()
        return start + encryptor.update(padded) + encryptor.finalize()

    def open(self, key: str, sealed: bytes) -> bytes:
        if len(sealed) < 2 * _BLOCK or len(sealed) % _BLOCK:
            raise ValueError("its length is none of this cipher")
        decryptor = Cipher(self._algorithm, modes.CBC(sealed[:_BLOCK])).decryptor()
        unpadder = padding.PKCS7(128).unpadder()
        return unpadder.update(decryptor.update(sealed[_BLOCK:]) + decryptor.finalize()) + unpadder.finalize()


class BoxKey:
    """XSalsa20 and Poly1305; what the box was for is not part of it."""

    def __init__(self, key: bytes, random: Random) -> None:
        from nacl.secret import SecretBox

        self._box = SecretBox(key)
        self._random = random

    def seal(self, key: str, value: bytes) -> bytes:
        return bytes(self._box.encrypt(value, self._random.token(24)))

    def open(self, key: str, sealed: bytes) -> bytes:
        from nacl.exceptions import CryptoError

        try:
            return bytes(self._box.decrypt(sealed))
        except (CryptoError, ValueError) as wrong:
            raise ValueError(_CHANGED) from wrong


class Named(Local):
    """An envelope of one key: its values begin with the provider's and the key's name."""

    def __init__(self, prefix: bytes, sealer: Sealer) -> None:
        self.prefix = prefix
        self._sealer = sealer

    def seal(self, key: str, value: bytes) -> bytes:
        return self.prefix + self._sealer.seal(key, value)

    def open(self, key: str, sealed: bytes) -> bytes:
        try:
            return self._sealer.open(key, sealed[len(self.prefix) :])
        except ValueError as wrong:
            raise unreadable(key, str(wrong)) from wrong

    def is_current(self, sealed: bytes) -> bool:
        return sealed.startswith(self.prefix)


class Identity(Local):
    """Values as they are."""

    prefix = b""

    def seal(self, key: str, value: bytes) -> bytes:
        return value

    def open(self, key: str, sealed: bytes) -> bytes:
        return sealed

    def is_current(self, sealed: bytes) -> bool:
        return not sealed.startswith((MARK, FOREIGN))


class Prefixed(Envelope, Protocol):
    @property
    def prefix(self) -> bytes: ...


class Stacked:
    """Several envelopes: the first seals, the one whose prefix a value has opens it.

    own  what the cluster seals with where nothing is configured; it opens what it sealed, whatever comes first now
    """

    def __init__(self, members: Sequence[Prefixed], own: Envelope) -> None:
        self._first = members[0]
        self._members = tuple(each for each in members if each.prefix)
        # What is plain can be read while `identity` is among the providers, or was never sealed.
        self._plain = Identity()
        self._own = own

    def seal(self, key: str, value: bytes) -> bytes:
        return self._first.seal(key, value)

    def open(self, key: str, sealed: bytes) -> bytes:
        return self._reader(key, sealed).open(key, sealed)

    def is_current(self, sealed: bytes) -> bool:
        return self._first.is_current(sealed)

    def lacks(self, sealed: bytes) -> bool:
        return sealed.startswith(FOREIGN) and self._reader("", sealed).lacks(sealed)

    async def prepare(self, sealed: bytes) -> None:
        await self._reader("", sealed).prepare(sealed)

    def _reader(self, key: str, sealed: bytes) -> Envelope:
        if sealed.startswith(MARK):
            return self._own
        if not sealed.startswith(FOREIGN):
            return self._plain
        for each in self._members:
            if sealed.startswith(each.prefix):
                return each
        name = sealed[:64].split(b":", 5)[:5]
        raise unreadable(key, f"no provider of the configuration opens {b':'.join(name).decode(errors='replace')}")
