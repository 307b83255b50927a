"""What loops share that tend objects of the server they run in: one key at a time, repeated with backoff."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.queue import WorkQueue


async def tend(queue: WorkQueue[str], sync: Callable[[str], Awaitable[None]], log: Log, failed: str) -> None:
    """Until cancelled. `failed` is the log's event for a key that waits to be tried again."""
    while True:
        name = await queue.get()
        try:
            await sync(name)
            queue.forget(name)
        except (ApiError, EdgeError) as error:
            pause_s = queue.retry(name)
            log.warning(failed, name=name, why=str(error), retry_s=round(pause_s, 1))
        finally:
            queue.done(name)
