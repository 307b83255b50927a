"""What resourceVersion in a read means, and the errors for versions that are gone or not there yet."""

from __future__ import annotations

import asyncio

from cybernetes.apiserver.core import Core
from cybernetes.base.errors import ApiError, Cause

# How long a read waits for a version that its client saw elsewhere, as the reference does.
FUTURE_WAIT_S = 3.0


def too_large(asked: int, current: int) -> ApiError:
    cause = Cause.of("ResourceVersionTooLarge", "Too large resource version")
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


async def check_not_future(core: Core, revision: int) -> None:
    """Wait a little for a revision that has not happened yet. Raises ApiError 504."""
    if revision <= core.caches.revision:
        return
    reached = asyncio.ensure_future(core.caches.reached(revision))
    patience = asyncio.ensure_future(core.clock.sleep(FUTURE_WAIT_S))
    try:
        await asyncio.wait((reached, patience), return_when=asyncio.FIRST_COMPLETED)
        if not reached.done():
            raise too_large(revision, core.caches.revision)
    finally:
        reached.cancel()
        patience.cancel()
