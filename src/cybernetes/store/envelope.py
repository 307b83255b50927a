"""Encrypts the values of chosen prefixes before any store sees them: no plain Secret reaches a disk.

`SealedStore` stands before another store and seals what is written below its prefixes, and opens what is
read, also in history, watches and conflicts. Everything else passes untouched.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.random import Random
from cybernetes.store.api import Batch, Check, Conflict, Delete, Entry, Event, Put, Range, Store
from cybernetes.store.keys import overlap

# No value of ours begins with a zero byte; so values from before encryption was on are told apart.
_MARK = b"\0cyb1"
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


class AesGcm:
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
        return _MARK + self._first + nonce + sealed

    def open(self, key: str, sealed: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        if not sealed.startswith(_MARK):
            return sealed
        at = len(_MARK) + _KEY_ID_BYTES
        cipher = self._ciphers.get(sealed[len(_MARK) : at])
        if cipher is None:
            raise _unreadable(key, "the key that sealed it is not among the store's keys")
        try:
            return cipher.decrypt(sealed[at : at + _NONCE_BYTES], sealed[at + _NONCE_BYTES :], key.encode())
        except InvalidTag as error:
            raise _unreadable(key, "it was changed on disk, or belongs to another path") from error

    def is_current(self, sealed: bytes) -> bool:
        return sealed.startswith(_MARK + self._first)


def new_key(random: Random) -> bytes:
    return random.token(KEY_BYTES)


def render_keys(keys: Sequence[bytes]) -> str:
    """A line of base64 for each key, newest first."""
    return "".join(f"{base64.b64encode(key).decode()}\n" for key in keys)


def parse_keys(text: str) -> list[bytes]:
    """ValueError when a line is no key, or there is none."""
    try:
        keys = [base64.b64decode(line, validate=True) for line in text.split()]
    except binascii.Error as error:
        raise ValueError(f"a key of the store is not base64: {error}") from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"the store needs at least one key, each of {KEY_BYTES} bytes in base64")
    return keys


class SealedStore:
    """A Store; `envelopes` by prefix, of which no two overlap."""

    def __init__(self, inner: Store, envelopes: Mapping[str, Envelope]) -> None:
        self._inner = inner
        self._envelopes = tuple(envelopes.items())

    @property
    def watches(self) -> int:
        return self._inner.watches

    async def revision(self) -> int:
        return await self._inner.revision()

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        entry = await self._inner.get(key, revision)
        return self._opened(entry) if entry is not None else None

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        found = await self._inner.range(prefix, start=start, limit=limit, revision=revision)
        if not self._concerns(prefix):
            return found
        return Range([self._opened(entry) for entry in found.entries], found.revision, found.count)

    async def txn(self, checks: Sequence[Check], writes: Sequence[Put | Delete]) -> int:
        try:
            return await self._inner.txn(checks, [self._sealed(write) for write in writes])
        except Conflict as conflict:
            if conflict.current is None:
                raise
            raise Conflict(conflict.key, self._opened(conflict.current)) from conflict

    def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        batches = self._inner.watch(prefix, after)
        return self._opened_batches(batches) if self._concerns(prefix) else batches

    async def compact(self, revision: int) -> None:
        await self._inner.compact(revision)

    async def grant(self, ttl_s: int) -> int:
        return await self._inner.grant(ttl_s)

    async def close(self) -> None:
        await self._inner.close()

    async def seal_again(self) -> int:
        """Write what is plain, or sealed with an older key, under the first key; how many that were.

        Afterwards the older keys only open history; they can go once that is compacted. Leases of the
        rewritten keys are dropped.
        """
        rewritten = 0
        for prefix, envelope in self._envelopes:
            for entry in (await self._inner.range(prefix)).entries:
                if not envelope.is_current(entry.value):
                    rewritten += await self._seal_one_again(entry)
        return rewritten

    async def _seal_one_again(self, raw: Entry) -> int:
        """1; 0 when another writer came first, and sealed it so."""
        try:
            await self.txn([Check(raw.key, raw.revision)], [Put(raw.key, self._opened(raw).value)])
        except Conflict:
            return 0
        return 1

    async def _opened_batches(self, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        async for batch in batches:
            if any(self._of(event.key) for event in batch.events):
                yield Batch(batch.revision, tuple(self._opened_event(event) for event in batch.events))
            else:
                yield batch

    def _opened_event(self, event: Event) -> Event:
        envelope = self._of(event.key)
        if envelope is None:
            return event
        value = None if event.value is None else envelope.open(event.key, event.value)
        previous = None if event.previous is None else envelope.open(event.key, event.previous)
        return Event(event.key, value, previous, event.revision, event.created)

    def _opened(self, entry: Entry) -> Entry:
        envelope = self._of(entry.key)
        if envelope is None:
            return entry
        return Entry(entry.key, envelope.open(entry.key, entry.value), entry.revision, entry.created)

    def _sealed(self, write: Put | Delete) -> Put | Delete:
        envelope = self._of(write.key)
        if envelope is None or isinstance(write, Delete):
            return write
        return Put(write.key, envelope.seal(write.key, write.value), write.lease)

    def _of(self, key: str) -> Envelope | None:
        for prefix, envelope in self._envelopes:
            if key.startswith(prefix):
                return envelope
        return None

    def _concerns(self, prefix: str) -> bool:
        return any(overlap(prefix, each) for each, _ in self._envelopes)


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"cybernetes store key " + key).digest()[:_KEY_ID_BYTES]


def _unreadable(key: str, why: str) -> EdgeError:
    return EdgeError("decrypt", key, why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
