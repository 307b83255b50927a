"""What all controllers share: keys from a queue, worked on by a few workers, repeated with backoff."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.answer import retry_after_s
from cybernetes.client.api import ApiClient
from cybernetes.client.events import EventRecorder, Reference
from cybernetes.client.queue import WorkQueue
from cybernetes.client.target import Target
from cybernetes.controllers.informers import Informers
from cybernetes.controllers.objects import Meta

WORKERS = 5
# One sync makes at most a few hundred requests; longer than this it hangs.
SYNC_TIMEOUT_S = 600.0
RESTS_PER_WORK = 10

_log = Log("controllers")


class Edges(msgspec.Struct, frozen=True):
    """What a controller is given: who it is to the API server, the shared local state, time and chance.

    queues  that were made of it, for those who count
    """

    client: ApiClient
    recorder: EventRecorder
    informers: Informers
    clock: Clock
    random: Random
    queues: list[WorkQueue[str]] = []

    def queue(self) -> WorkQueue[str]:
        made: WorkQueue[str] = WorkQueue(self.clock, self.random)
        self.queues.append(made)
        return made


class Controller(Protocol):
    """`run` works until cancelled; it starts when the informers have synced."""

    async def run(self) -> None: ...


# Works on one key; returns seconds after which to look at it again, or None.
Sync = Callable[[str], Awaitable[float | None]]


async def work(name: str, queue: WorkQueue[str], sync: Sync, workers: int = WORKERS) -> None:
    """Run `workers` workers until cancelled. One failing key waits; the others go on."""
    async with asyncio.TaskGroup() as group:
        for n in range(workers):
            group.create_task(_work(name, queue, sync), name=f"{name}.worker-{n}")


async def _work(name: str, queue: WorkQueue[str], sync: Sync) -> None:
    while True:
        key = await queue.get()
        try:
            async with asyncio.timeout(SYNC_TIMEOUT_S):
                again_s = await sync(key)
        except (ApiError, EdgeError, TimeoutError) as error:
            at_least_s = retry_after_s(error) if isinstance(error, ApiError) else 0
            wait_s = queue.retry(key, at_least_s)
            _log.debug("sync.failed", controller=name, key=key, wait_s=round(wait_s, 3), why=str(error))
        else:
            queue.forget(key)
            if again_s is not None:
                queue.add_after(key, again_s)
        finally:
            queue.done(key)


class Pace:
    """Lets a key be worked on at once when it has rested, else as soon as it has.

    A lone change is answered without delay; of a burst, what comes within `rest_s` is answered together. A key whose
    work takes long rests RESTS_PER_WORK times as long: what a large object costs must not grow with each change in it.
    """

    def __init__(self, queue: WorkQueue[str], clock: Clock, rest_s: float) -> None:
        self._queue = queue
        self._clock = clock
        self._rest_s = rest_s
        self._rested_at: dict[str, float] = {}

    def add(self, key: str) -> None:
        self._queue.add_after(key, self._rested_at.get(key, 0.0) - self._clock.monotonic())

    def worked(self, key: str, took_s: float = 0.0) -> None:
        """The key is being worked on now; took_s: of it, what kept everybody else from working."""
        self._rested_at[key] = self._clock.monotonic() + max(self._rest_s, RESTS_PER_WORK * took_s)

    def forget(self, key: str) -> None:
        self._rested_at.pop(key, None)


def reference(target: Target, metadata: Meta) -> Reference:
    """What an Event about this object names."""
    return Reference(
        target.kind,
        target.api_version,
        metadata.name,
        metadata.namespace,
        metadata.uid,
        metadata.resource_version,
    )


async def write_status(client: ApiClient, target: Target, metadata: Meta, status: dict[str, Any]) -> None:
    """Replace the status of the object that was decided about.

    The object is read first, because an update carries all of it. Raises ApiError Conflict when
    it is not the one that the decision saw.
    """
    await update(client, target, metadata, lambda obj: obj.update(status=status), subresource="status")


async def update(
    client: ApiClient,
    target: Target,
    metadata: Meta,
    change: Callable[[dict[str, Any]], None],
    *,
    subresource: str = "",
) -> dict[str, Any]:
    """Read, change in place, and replace the object of `metadata`, guarded by the version that was decided on."""
    obj = await client.get(target, metadata.name, namespace=metadata.namespace)
    obj["metadata"]["resourceVersion"] = metadata.resource_version
    change(obj)
    return await client.update(target, obj, subresource=subresource)
