"""What happened before this server began to look: read from the store's history, once for all watches that come back together.

After a restart every client's watch goes on from some version of the last minute. Each of them for itself would read the
changes of all objects, so that their cost grew with the square of the cluster.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from cybernetes.apiserver.cache.feed import Cached
from cybernetes.apiserver.cache.state import Event, ResourceState
from cybernetes.store.api import Store


async def reach_back(store: Store, cached: Cached, after: int) -> None:
    """Let the window begin after this revision, if there is room for all that came since. Raises Compacted."""
    async with cached.reaching_back:
        state, upto = cached.state, cached.state.window_from
        if not cached.out_of_reach < after < upto:
            return
        events: list[Event] = []
        async for some in history(store, state, after, upto):
            events += some
            if not state.has_room(events):
                cached.out_of_reach = after
                return
        # Meanwhile the window may have moved on.
        if state.window_from == upto:
            state.extend(after, events)


async def history(store: Store, state: ResourceState, after: int, upto: int) -> AsyncIterator[list[Event]]:
    """Events with after < revision <= upto, whole revisions at a time. Raises Compacted."""
    async for batch in store.watch(state.prefix, after):
        if batch.revision > upto:
            return
        yield state.past(batch.events)
        if batch.revision == upto:
            return
