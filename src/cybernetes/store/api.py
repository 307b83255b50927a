"""The store's contract: revisions, checked transactions, ranges, watches, leases.

A key is a text path, `/pods/shop/web-1`; a value is bytes that the store does not read. Every
transaction that writes takes the next revision, one number for all keys. What a transaction
acknowledged is on disk. A watch delivers every revision's events of its prefix once, in order,
whole revisions at a time, or ends with Compacted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from cybernetes.base.errors import Bug, EdgeError, Outcome, Retry

# Writes of one transaction; the limit that etcd has out of the box.
WRITES_MAX = 128


class Entry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A key's value at some revision.

    revision  of the write that made this value (etcd's mod_revision)
    created   revision at which the key came into being (etcd's create_revision)
    """

    key: str
    value: bytes
    revision: int
    created: int


class Event(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A change of one key. `value` is None when it was deleted; `previous` is None when it was created."""

    key: str
    value: bytes | None
    previous: bytes | None
    revision: int
    created: int


class Batch(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """All events of one revision within the watched prefix; none in a progress batch, which only tells the revision."""

    revision: int
    events: tuple[Event, ...]


class Range(msgspec.Struct, frozen=True, gc=False):
    """Entries in key order as of `revision`; `count` is how many keys the whole range holds."""

    entries: list[Entry]
    revision: int
    count: int

    @property
    def more(self) -> bool:
        return self.count > len(self.entries)


class Check(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The key must be at this revision; 0: must not exist."""

    key: str
    revision: int


class Put(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="put"):
    """`lease`: the key goes when that lease ends; 0 for none."""

    key: str
    value: bytes
    lease: int = 0


class Delete(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="delete"):
    key: str


class Conflict(Exception):
    """A check did not hold; nothing was written. `current` is None when the key does not exist."""

    def __init__(self, key: str, current: Entry | None) -> None:
        super().__init__(f"{key} is at revision {current.revision if current else 0}")
        self.key = key
        self.current = current


class Compacted(Exception):
    """The revision asked for is gone; `oldest` is the oldest that can be read."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"revision {asked} was compacted; the oldest kept is {oldest}")
        self.asked = asked
        self.oldest = oldest


class FutureRevision(Exception):
    """The revision asked for has not happened yet."""

    def __init__(self, asked: int, current: int) -> None:
        super().__init__(f"revision {asked} is in the future; the current one is {current}")
        self.asked = asked
        self.current = current


def check_writes(writes: Sequence[Put | Delete]) -> None:
    """Raises Bug when the writes are not one transaction's: too many, or one key twice."""
    if len(writes) > WRITES_MAX:
        raise Bug(f"a transaction of {len(writes)} writes; at most {WRITES_MAX}")
    if len(writes) > 1 and len({write.key for write in writes}) < len(writes):
        raise Bug(f"a transaction writes a key twice: {sorted(write.key for write in writes)}")


def lease_gone(key: str, lease: int) -> EdgeError:
    return EdgeError("write", key, f"lease {lease} is over", outcome=Outcome.NOT_DONE, retry=Retry.NEVER)


class Store(Protocol):
    @property
    def watches(self) -> int:
        """How many watches are open in this process."""
        ...

    async def revision(self) -> int:
        """The current revision, read so that no acknowledged write is above it."""
        ...

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        """The entry now, or as of `revision`. Raises Compacted, FutureRevision."""
        ...

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        """Entries whose key has `prefix` and is >= `start`, at most `limit` (0: all). Raises Compacted, FutureRevision."""
        ...

    async def txn(self, checks: Sequence[Check], writes: Sequence[Put | Delete]) -> int:
        """Write all or nothing; the new revision, after it is on disk. Raises Conflict; EdgeError when the disk fails.

        Deleting a key that does not exist writes nothing; when nothing is written at all, the
        current revision is returned. At most WRITES_MAX writes, each of another key.
        """
        ...

    def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        """Every change above revision `after` under `prefix`, then live; `after` 0 asks for all history.

        Compacted, FutureRevision and EdgeError come from the iterator. Progress batches (no events) come
        when history is read, when someone asks for `revision`, and now and then, so that a quiet prefix
        still learns revisions. A slow reader is not cut off: it reads on from history.
        """
        ...

    async def compact(self, revision: int) -> None:
        """Forget history below `revision`; current values stay.

        Reading at `revision` and watching after it still work. Compacting again to an older revision
        raises Compacted, to a future one FutureRevision.
        """
        ...

    async def grant(self, ttl_s: int) -> int:
        """A new lease that ends `ttl_s` seconds from now; its keys are deleted then, as one revision."""
        ...

    async def close(self) -> None: ...
