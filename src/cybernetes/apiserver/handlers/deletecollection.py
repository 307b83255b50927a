from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec

from cybernetes.apiserver import respond
from cybernetes.apiserver.cache.state import Item
from cybernetes.apiserver.core import Call, Core
from cybernetes.apiserver.handlers.delete import DeleteOptions, delete_options, remove
from cybernetes.apiserver.handlers.list import matching, selection_of
from cybernetes.apiserver.options import list_options
from cybernetes.apiserver.render import ListMeta, render_list
from cybernetes.base.errors import ApiError
from cybernetes.wire.http.message import Response

# Deletions at a time: the store writes what comes together to disk together.
PARALLEL = 32


async def deletecollection(core: Core, call: Call) -> Response:
    """Delete what the selectors match; the answer lists the objects as deletion left them."""
    selection = selection_of(call, list_options(call.request, watch=False))
    options = delete_options(call)
    await core.consistent()
    state = core.caches.of(*call.served.keeper).state
    found = await matching(core, selection, state)
    items: list[Item] = []
    for at in range(0, len(found), PARALLEL):
        some = found[at : at + PARALLEL]
        removed = await _all(*(_remove(core, call, each.namespace, each.name, options) for each in some))
        items += [
            Item(each.place, json, each.revision, each.created)
            for each, json in zip(some, removed, strict=True)
            if json is not None
        ]
    form = respond.form_of(call, respond.LIST_SHAPES, listed=True)
    meta = ListMeta(core.caches.revision)
    pieces = await render_list(respond.renderer(core, call, form), items, meta, core.clock)
    return respond.listed(call.request, form, pieces, warnings=call.warnings)


async def _all(*removals: Coroutine[Any, Any, bytes | None]) -> list[bytes | None]:
    """What each gave, once all have ended. Raises what the first of them raised."""
    results = await asyncio.gather(*removals, return_exceptions=True)
    found: list[bytes | None] = []
    for each in results:
        if isinstance(each, BaseException):
            raise each
        found.append(each)
    return found


async def _remove(core: Core, call: Call, namespace: str, name: str, options: DeleteOptions) -> bytes | None:
    """The item after its deletion; None when something else deleted it meanwhile."""
    info = msgspec.structs.replace(call.info, namespace=namespace, name=name, verb="delete")
    single = msgspec.structs.replace(call, info=info)
    try:
        written = await remove(core, single, options)
    except ApiError as error:
        if error.reason == "NotFound":
            return None
        raise
    return written.item
