from __future__ import annotations

from cybernetes.apiserver import respond
from cybernetes.apiserver.core import Call, Core
from cybernetes.apiserver.handlers.revisions import check_not_future
from cybernetes.apiserver.options import check_revision
from cybernetes.apiserver.write import place
from cybernetes.base.errors import not_found
from cybernetes.wire.http.message import Response


async def get(core: Core, call: Call) -> Response:
    revision = call.request.param("resourceVersion")
    check_revision(revision, watch=False)
    await core.consistent()
    if revision:
        await check_not_future(core, int(revision))
    item = core.caches.of(*call.served.keeper).state.get(place(call, call.info.name))
    if item is None:
        raise not_found(*call.not_found)
    return respond.one(core, call, (await call.served.shown(item)).json)
