"""What the chain has more where other API servers of the same machine write too, and asking whether they did is free.

Who was told of a write by one of them is then never answered from before it by another: not with a refusal for a role
that was just given, and not with a 401 for a token whose account was just made.
"""

from __future__ import annotations

from cybernetes.apiserver import chain
from cybernetes.apiserver.chain import Filter, Next, Passage
from cybernetes.apiserver.core import Core
from cybernetes.wire.http.message import Response


async def catch_up(core: Core, passage: Passage, following: Next) -> Response:
    """Health is told at once: it must not wait for what may be ill."""
    if passage.info.is_resource:
        await core.consistent()
    return await following(passage)


def catching_up(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """The chain that catches up before it asks who sends a request, and within the time that the request has."""
    at = filters.index(chain.limit_time) + 1
    return (*filters[:at], catch_up, *filters[at:])
