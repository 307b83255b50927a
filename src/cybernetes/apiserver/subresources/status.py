"""Subresources with the shape of the object itself: status, ephemeralcontainers, resize, finalize, approval."""

from __future__ import annotations

from cybernetes.apiserver import body
from cybernetes.apiserver.core import Call, Core
from cybernetes.apiserver.handlers.get import get
from cybernetes.apiserver.handlers.patch import Target, apply_patch
from cybernetes.apiserver.handlers.update import put
from cybernetes.base.errors import Bug
from cybernetes.model.resource import Strategy
from cybernetes.wire.http.message import Response


async def read(core: Core, call: Call) -> Response:
    return await get(core, call)


async def update(core: Core, call: Call) -> Response:
    return await put(core, call, body.shape_of(call), _strategy(call), call.info.subresource)


async def patch(core: Core, call: Call) -> Response:
    return await apply_patch(core, call, Target(body.shape_of(call), _strategy(call), call.info.subresource))


def _strategy(call: Call) -> Strategy:
    found = call.served.resource.subresource(call.info.subresource)
    if found is None or found.strategy is None:
        raise Bug(f"{call.served.resource.plural}/{call.info.subresource} has no strategy")
    return found.strategy
