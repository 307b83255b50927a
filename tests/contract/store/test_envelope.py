from __future__ import annotations

import asyncio
from base64 import b64encode
from pathlib import Path

import pytest

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.base.random import SeededRandom
from cybernetes.store.api import Check, Conflict, Put
from cybernetes.store.envelope import AesGcm, parse_keys
from cybernetes.store.memory import MemoryStore
from cybernetes.store.sealing import SealedStore, fixed
from cybernetes.store.sqlite.store import SqliteStore

RANDOM = SeededRandom(1)
OLD, NEW = RANDOM.token(32), RANDOM.token(32)
SECRET = b"v1 Secret\n{correct horse battery staple}"


def sealed(inner, *keys: bytes) -> SealedStore:
    return SealedStore(inner, fixed({"secrets": AesGcm(keys, RANDOM)}))


def test_no_plain_secret_is_in_any_file(tmp_path: Path):
    async def main() -> None:
        store = sealed(await SqliteStore.open(tmp_path / "state.db", clock=SystemClock()), NEW)
        await store.txn([], [Put("/core/secrets/shop/db", SECRET), Put("/core/configmaps/shop/db", b"in the open")])
        await store.txn([], [Put("/core/secrets/shop/db", SECRET + b"2")])
        written = files(tmp_path)
        await store.close()
        written += files(tmp_path)
        assert b"in the open" in written
        assert b"correct horse" not in written

    asyncio.run(main())


def files(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(path.iterdir()))


def test_every_road_out_opens():
    async def main() -> None:
        inner = MemoryStore(SystemClock())
        store = sealed(inner, NEW)
        start = await store.revision()
        first = await store.txn([], [Put("/core/secrets/a", SECRET), Put("/core/pods/a", b"pod")])
        second = await store.txn([], [Put("/core/secrets/a", b"second")])
        now, then = await store.get("/core/secrets/a"), await store.get("/core/secrets/a", first)
        assert now is not None and (now.value, now.revision, now.created) == (b"second", second, first)
        assert then is not None and then.value == SECRET
        assert [entry.value for entry in (await store.range("/core/")).entries] == [b"pod", b"second"]
        assert [entry.value for entry in (await store.range("/core/secrets/")).entries] == [b"second"]
        with pytest.raises(Conflict) as caught:
            await store.txn([Check("/core/secrets/a", first)], [Put("/core/secrets/a", b"third")])
        assert caught.value.current == now
        watch = store.watch("/", start)
        one, two = await anext(watch), await anext(watch)
        assert [event.value for event in one.events] == [SECRET, b"pod"]
        assert [(event.value, event.previous) for event in two.events] == [(b"second", SECRET)]
        raw = await inner.get("/core/secrets/a")
        assert raw is not None and b"second" not in raw.value

    asyncio.run(main())


def test_keys_rotate():
    async def main() -> None:
        inner = MemoryStore(SystemClock())
        await inner.txn([], [Put("/core/secrets/plain", b"from before encryption")])
        await sealed(inner, OLD).txn([], [Put("/core/secrets/old", SECRET)])
        both = sealed(inner, NEW, OLD)
        await both.txn([], [Put("/core/secrets/new", SECRET)])
        assert await both.seal_again() == 2
        assert await both.seal_again() == 0
        only_new = sealed(inner, NEW)
        values = [entry.value for entry in (await only_new.range("/core/secrets/")).entries]
        assert values == [SECRET, SECRET, b"from before encryption"]
        raw = await inner.get("/core/secrets/plain")
        assert raw is not None and b"before" not in raw.value
        with pytest.raises(EdgeError, match="not among the store's keys"):
            await sealed(inner, OLD).get("/core/secrets/new")

    asyncio.run(main())


def test_a_value_that_was_moved_or_changed_does_not_open():
    envelope = AesGcm([NEW], RANDOM)
    value = envelope.seal("/core/secrets/a", SECRET)
    assert envelope.open("/core/secrets/a", value) == SECRET
    assert envelope.seal("/core/secrets/a", SECRET) != value
    with pytest.raises(EdgeError, match="belongs to another path"):
        envelope.open("/core/secrets/b", value)
    with pytest.raises(EdgeError, match="changed on disk"):
        envelope.open("/core/secrets/a", value[:-1] + bytes([value[-1] ^ 1]))


def test_keys_are_kept_as_text():
    assert parse_keys(f"{b64encode(NEW).decode()}\n{b64encode(OLD).decode()}\n") == [NEW, OLD]
    for wrong in ("", "not base64!", "c2hvcnQ="):
        with pytest.raises(ValueError, match="key"):
            parse_keys(wrong)
