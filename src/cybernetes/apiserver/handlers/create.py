from __future__ import annotations

from cybernetes.apiserver import body, respond, write
from cybernetes.apiserver.core import Call, Core
from cybernetes.apiserver.options import write_options
from cybernetes.wire.http.message import Response


async def create(core: Core, call: Call) -> Response:
    options = write_options(call.request, "CreateOptions")
    obj = body.read(call, body.shape_of(call), options)
    body.check_namespace(call, obj)
    await core.consistent()
    written = await write.create(core, call, obj, options)
    return respond.one(core, call, written.item, 201)
