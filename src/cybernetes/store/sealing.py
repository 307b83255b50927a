"""A Store whose chosen resources are ciphertext: `SealedStore` stands before another store, seals what is written and
opens what is read, also in history, watches and conflicts. Everything else passes untouched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from cybernetes.store.api import Batch, Check, Conflict, Delete, Entry, Event, Put, Range, Store
from cybernetes.store.envelope import Envelope
from cybernetes.store.keys import overlap

# Values that are read at once to be sealed again.
PAGE = 500
# Events end by themselves within an hour, with a lease that writing them again would take off.
PASSING = ("/core/events/", "/events.k8s.io/events/")


class Rules:
    """Which envelope a key has: the first pattern that fits decides.

    patterns  `secrets`, `deployments.apps`; `*.apps` for a group, `*.` for the core group, `*.*` for everything
    """

    def __init__(self, patterns: Sequence[tuple[str, Envelope]]) -> None:
        self._patterns = tuple(patterns)
        folders = {_folder(pattern) for pattern, _ in patterns}
        # As few as there can be, because every key is held against them.
        self._prefixes = ("/",) if "/" in folders else tuple(sorted(folders))
        self._known: dict[tuple[str, str], Envelope | None] = {}

    def of(self, key: str) -> Envelope | None:
        if not key.startswith(self._prefixes):
            return None
        _, group, plural, *_ = (*key.split("/", 3), "", "", "")
        known = self._known.get((group, plural), self)
        if isinstance(known, Rules):
            known = self._known[group, plural] = next(
                (envelope for pattern, envelope in self._patterns if key.startswith(_folder(pattern))), None
            )
        return known

    def concerns(self, prefix: str) -> bool:
        return any(overlap(prefix, each) for each in self._prefixes)

    @property
    def folders(self) -> tuple[str, ...]:
        return self._prefixes

    @property
    def envelopes(self) -> tuple[Envelope, ...]:
        return tuple(dict.fromkeys(envelope for _, envelope in self._patterns))


def _folder(pattern: str) -> str:
    """The prefix of the keys of a pattern: `/core/secrets/`, `/apps/`, `/`."""
    plural, _, group = pattern.partition(".")
    if plural != "*":
        return f"/{group or 'core'}/{plural}/"
    return "/" if group == "*" else f"/{group or 'core'}/"


def fixed(envelopes: Mapping[str, Envelope]) -> Rules:
    """Rules of whole resources."""
    return Rules(tuple(envelopes.items()))


class SealedStore:
    """A Store. `change` replaces the rules; what they seal differently is written again by `seal_again`."""

    def __init__(self, inner: Store, rules: Rules) -> None:
        self._inner = inner
        self._rules = rules

    def change(self, rules: Rules) -> None:
        self._rules = rules

    @property
    def watches(self) -> int:
        return self._inner.watches

    async def revision(self) -> int:
        return await self._inner.revision()

    async def get(self, key: str, revision: int = 0) -> Entry | None:
        entry = await self._inner.get(key, revision)
        if entry is None:
            return None
        await self._prepare(((entry.key, entry.value),))
        return self._opened(entry)

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        found = await self._inner.range(prefix, start=start, limit=limit, revision=revision)
        if not self._rules.concerns(prefix):
            return found
        await self._prepare((entry.key, entry.value) for entry in found.entries)
        return Range([self._opened(entry) for entry in found.entries], found.revision, found.count)

    async def txn(self, checks: Sequence[Check], writes: Sequence[Put | Delete]) -> int:
        try:
            return await self._inner.txn(checks, [self._sealed(write) for write in writes])
        except Conflict as conflict:
            if conflict.current is None:
                raise
            await self._prepare(((conflict.key, conflict.current.value),))
            raise Conflict(conflict.key, self._opened(conflict.current)) from conflict

    def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        # Rules may come to concern a prefix while it is watched, so none is passed on as it is.
        return self._opened_batches(self._inner.watch(prefix, after))

    async def compact(self, revision: int) -> None:
        await self._inner.compact(revision)

    async def grant(self, ttl_s: int) -> int:
        return await self._inner.grant(ttl_s)

    async def close(self) -> None:
        await self._inner.close()

    async def seal_again(self) -> int:
        """Write what the rules seal differently by now; how many values that were.

        Afterwards older keys only open history; they can go once that is compacted. Leases of the
        rewritten keys are dropped; events, which live by theirs, are left as they are.
        """
        rewritten = 0
        for folder in self._rules.folders:
            start = ""
            while True:
                page = await self._inner.range(folder, start=start, limit=PAGE)
                for entry in page.entries:
                    rewritten += await self._seal_one_again(entry)
                if not page.more:
                    break
                start = page.entries[-1].key + "\0"
        return rewritten

    async def _seal_one_again(self, raw: Entry) -> int:
        """1; 0 when it is sealed well, or another writer came first, and sealed it so."""
        envelope = self._rules.of(raw.key)
        if envelope is None or envelope.is_current(raw.value) or raw.key.startswith(PASSING):
            return 0
        await self._prepare(((raw.key, raw.value),))
        try:
            await self.txn([Check(raw.key, raw.revision)], [Put(raw.key, self._opened(raw).value)])
        except Conflict:
            return 0
        return 1

    async def _opened_batches(self, batches: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
        async for batch in batches:
            if any(self._rules.of(event.key) for event in batch.events):
                await self._prepare(
                    (event.key, value)
                    for event in batch.events
                    for value in (event.value, event.previous)
                    if value is not None
                )
                yield Batch(batch.revision, tuple(self._opened_event(event) for event in batch.events))
            else:
                yield batch

    async def _prepare(self, values: Iterable[tuple[str, bytes]]) -> None:
        """Have envelopes fetch what they need to open these values."""
        for key, value in values:
            envelope = self._rules.of(key)
            if envelope is not None and envelope.lacks(value):
                await envelope.prepare(value)

    def _opened_event(self, event: Event) -> Event:
        envelope = self._rules.of(event.key)
        if envelope is None:
            return event
        value = None if event.value is None else envelope.open(event.key, event.value)
        previous = None if event.previous is None else envelope.open(event.key, event.previous)
        return Event(event.key, value, previous, event.revision, event.created)

    def _opened(self, entry: Entry) -> Entry:
        envelope = self._rules.of(entry.key)
        if envelope is None:
            return entry
        return Entry(entry.key, envelope.open(entry.key, entry.value), entry.revision, entry.created)

    def _sealed(self, write: Put | Delete) -> Put | Delete:
        envelope = self._rules.of(write.key)
        if envelope is None or isinstance(write, Delete):
            return write
        return Put(write.key, envelope.seal(write.key, write.value), write.lease)
