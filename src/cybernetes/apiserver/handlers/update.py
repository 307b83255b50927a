from __future__ import annotations

import orjson

from cybernetes.apiserver import body, respond, write
from cybernetes.apiserver.admit import check_may_create
from cybernetes.apiserver.body import Shape
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.options import WriteOptions, write_options
from cybernetes.base.errors import ApiError, bad_request, conflict, not_found
from cybernetes.model.resource import Strategy
from cybernetes.wire.http.message import Response


async def update(core: Core, call: Call) -> Response:
    return await put(core, call, body.shape_of(call), call.served.resource.strategy)


async def put(core: Core, call: Call, shape: Shape, strategy: Strategy, subresource: str = "") -> Response:
    """PUT of an object, or of one of its subresources that has the object's own shape."""
    options = write_options(call.request, "UpdateOptions")
    obj = body.read(call, shape, options)
    check_identity(call, obj)
    change = write.Change(
        apply=lambda old: orjson.loads(orjson.dumps(obj)),
        strategy=strategy,
        subresource=subresource,
        lenient=not write.asked_version(obj),
        replaces=True,
    )
    try:
        written = await write.update(core, call, change, options)
    except ApiError as error:
        if error.reason != "NotFound" or subresource or not call.served.resource.strategy.allow_create_on_update:
            raise
        written = await _create(core, call, obj, options)
    return respond.one(core, call, written.item, 201 if written.created else 200)


async def _create(core: Core, call: Call, obj: Object, options: WriteOptions) -> write.Written:
    await check_may_create(core, call)
    row, metadata = call.served.resource, obj["metadata"]
    if metadata.get("uid"):
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: "
        raise conflict(row.group, row.plural, call.info.name, why)
    if write.asked_version(obj):
        raise not_found(row.group, row.plural, call.info.name)
    return await write.create(core, call, obj, options)


def check_identity(call: Call, obj: Object) -> None:
    """The object must be the one that the URL names; what it leaves out is filled in. Raises ApiError 400."""
    metadata, info = obj["metadata"], call.info
    name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
    if name != info.name:
        raise bad_request(_name_differs(name, info.name))
    if not call.served.resource.namespaced:
        return
    if namespace not in ("", info.namespace):
        raise bad_request(
            f"the namespace of the object ({namespace}) does not match the namespace on the request ({info.namespace})"
        )
    metadata["namespace"] = info.namespace


def _name_differs(name: str, asked: str) -> str:
    return f"the name of the object ({name}) does not match the name on the URL ({asked})"
