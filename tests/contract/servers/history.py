"""What writers were told and what watchers saw, while servers were killed; and whether the two fit together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import msgspec
import orjson

from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.client.api import ApiClient
from cybernetes.client.target import Target

MAPS = Target("", "v1", "configmaps", "ConfigMap")
SPACE = "default"
KEYS = 5
PAUSE_S = 0.02

Connect = Callable[[], ApiClient]


class Seen(msgspec.Struct, frozen=True, order=True):
    """A version of an object: `write` is unique to the request that made it."""

    revision: int
    name: str
    write: str


class History(msgspec.Struct):
    """acknowledged: versions that a writer was told of. unknown: writes of which nobody knows what came of them.
    stale: reads that told of an older version than one acknowledged before."""

    acknowledged: list[Seen] = []
    unknown: set[str] = set()
    stale: list[tuple[Seen, Seen]] = []
    watched: list[list[Seen]] = []


def seen(obj: dict) -> Seen:
    metadata = obj["metadata"]
    return Seen(int(metadata["resourceVersion"]), metadata["name"], obj["data"]["write"])


async def write(number: int, connect: Connect, history: History, stop: asyncio.Event) -> None:
    """Change objects of its own until told to stop; read each through another connection."""
    client, reader, count = connect(), connect(), 0
    try:
        while not stop.is_set():
            count += 1
            name, mark = f"w{number}-{count % KEYS}", f"{number}/{count}"
            try:
                done = seen(await _put(client, name, mark))
            except (ApiError, EdgeError) as failed:
                if not _nothing_happened(failed):
                    history.unknown.add(mark)
                await client.close()
                client = connect()
                await asyncio.sleep(PAUSE_S)
                continue
            history.acknowledged.append(done)
            await _read_back(reader, done, history)
    finally:
        await client.close()
        await reader.close()


async def _put(client: ApiClient, name: str, mark: str) -> dict:
    """Of an object that is not there yet this is a creation."""
    obj = {"metadata": {"name": name, "namespace": SPACE}, "data": {"write": mark}}
    return await client.apply(MAPS, obj, field_manager="test")


def _nothing_happened(failed: ApiError | EdgeError) -> bool:
    return failed.code in (409, 429) if isinstance(failed, ApiError) else failed.outcome is Outcome.NOT_DONE


async def _read_back(reader: ApiClient, done: Seen, history: History) -> None:
    try:
        found = seen(await reader.get(MAPS, done.name, namespace=SPACE))
    except EdgeError:
        return
    except ApiError as refusal:
        if refusal.code < 500:
            history.stale.append((done, Seen(0, done.name, refusal.reason)))
        return
    if found < done:
        history.stale.append((done, found))


async def watch(connect: Connect, after: int, story: list[Seen], until: asyncio.Future[int]) -> None:
    """Follow from a version on, again from the last one seen whenever the stream ends, up to the version in `until`."""
    client, at = connect(), after
    try:
        while not (until.done() and at >= until.result()):
            try:
                events = client.watch(MAPS, resource_version=str(at), namespace=SPACE, timeout_s=2)
                async with aclosing(events) as stream:
                    async for event in stream:
                        obj = orjson.loads(event.object)
                        at = int(obj["metadata"]["resourceVersion"])
                        if event.type != "BOOKMARK" and "write" in obj.get("data", {}):
                            story.append(seen(obj))
                        if until.done() and at >= until.result():
                            break
            except EdgeError:
                await asyncio.sleep(PAUSE_S)
            except ApiError as refusal:
                assert refusal.code >= 500 or refusal.code == 429, refusal
                await asyncio.sleep(PAUSE_S)
    finally:
        await client.close()


def check(history: History) -> None:
    """Raises AssertionError for what must not be."""
    assert not history.stale, f"reads from the past: {history.stale[:3]}"
    told = history.watched[0]
    revisions = [each.revision for each in told]
    assert revisions == sorted(set(revisions)), "an event came twice, or out of order"
    for other in history.watched[1:]:
        assert other == told, f"watchers saw different things: {set(other) ^ set(told)}"
    lost = sorted(set(history.acknowledged) - set(told))
    assert not lost, f"acknowledged and not seen: {lost[:3]}"
    unasked = {each.write for each in told} - {each.write for each in history.acknowledged} - history.unknown
    assert not unasked, f"happened though it was said that it did not: {sorted(unasked)[:3]}"
    writes = [each.write for each in told]
    assert len(writes) == len(set(writes)), "a write happened twice"
