"""Server-side apply: a manager's configuration merged into an object, or the object made from it."""

from __future__ import annotations

import orjson

from cybernetes.apiserver import respond, write
from cybernetes.apiserver.admit import check_may_create
from cybernetes.apiserver.body import Shape
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.handlers.patch import Target, redecoded
from cybernetes.apiserver.handlers.update import check_identity
from cybernetes.apiserver.options import WriteOptions
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import ApiError, bad_request, conflict
from cybernetes.model import apply
from cybernetes.wire import yaml as yaml_codec
from cybernetes.wire.http.message import Response
from cybernetes.wire.json import SyntaxProblem


async def server_side_apply(core: Core, call: Call, target: Target, options: WriteOptions) -> Response:
    configuration = configuration_of(call, target.shape, options)
    metadata = configuration.get("metadata") or {}
    # Nobody owns these, so what is merged is without them: they say which object is meant.
    wanted = {name: metadata[name] for name in ("uid", "resourceVersion") if metadata.get(name)}
    version = wanted.get("resourceVersion")
    writing = apply.Writing(
        manager=options.manager,
        api_version=target.shape.api_version,
        now=rfc3339(core.clock.now()),
        subresource=target.subresource,
        reset_fields=target.strategy.reset_fields,
    )

    def merged(live: Object | None) -> Object:
        applied = apply.apply(target.shape.node, live, configuration, writing, force=bool(options.force))
        fresh = redecoded(call, target.shape, applied.object, options)
        fresh["metadata"].setdefault("name", call.info.name)
        if live is not None and _told(live) == _told(fresh):
            # A field that was set to null, and has its default by now, for instance.
            fresh["metadata"]["managedFields"] = live["metadata"].get("managedFields") or []
        fresh["metadata"] |= wanted
        if live is not None and not version:
            # Apply is an update of what was read; it needs no version of its own.
            fresh["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        check_identity(call, fresh)
        return fresh

    change = write.Change(
        apply=merged, strategy=target.strategy, subresource=target.subresource, lenient=not version, track=False
    )
    try:
        written = await write.update(core, call, change, options)
    except ApiError as error:
        if error.reason != "NotFound" or target.subresource:
            raise
        written = await _create(core, call, merged(None), options)
    return respond.one(core, call, written.item, 201 if written.created else 200)


async def _create(core: Core, call: Call, obj: Object, options: WriteOptions) -> write.Written:
    await check_may_create(core, call)
    row, uid = call.served.resource, obj["metadata"].get("uid")
    if uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(row.group, row.plural, call.info.name, why)
    return await write.create(core, call, obj, options, track=False)


def configuration_of(call: Call, shape: Shape, options: WriteOptions) -> Object:
    """The body of an apply. Raises ApiError 400, also for fields that come more than once where that is forbidden."""
    try:
        value, repeated = yaml_codec.decode(call.request.body)
    except SyntaxProblem as problem:
        raise bad_request(f"error decoding YAML: {problem}") from problem
    if not isinstance(value, dict):
        raise bad_request("error decoding YAML: the configuration is not an object")
    if not isinstance(value.get("metadata") or {}, dict):
        raise bad_request("error decoding YAML: the metadata of the configuration is not an object")
    _judge(call, repeated, options)
    # Times and the like become text as they would in JSON.
    document: Object = orjson.loads(orjson.dumps(value))
    kind, version = document.get("kind", ""), document.get("apiVersion", "")
    if version == shape.api_version and kind != shape.kind:
        raise apply.unfit(document, [f"no corresponding type for {version}, Kind={kind}"])
    return document


def _told(obj: Object) -> tuple[Object, Object, list[bytes]]:
    """All that an apply can change: times of owners alone are no change."""
    metadata = obj["metadata"]
    own = {name: value for name, value in metadata.items() if ("metadata", name) not in apply.NEVER_OWNED}
    rest = {name: value for name, value in obj.items() if name not in ("kind", "apiVersion", "metadata")}
    entries = [{k: v for k, v in entry.items() if k != "time"} for entry in metadata.get("managedFields") or ()]
    return rest, own, sorted(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS) for entry in entries)


def _judge(call: Call, repeated: list[str], options: WriteOptions) -> None:
    if not repeated or options.field_validation == "Ignore":
        return
    problem = "error converting YAML to JSON: yaml: unmarshal errors:\n  " + "\n  ".join(repeated)
    if options.field_validation == "Strict":
        raise bad_request(f"error strict decoding YAML: {problem}")
    call.warnings.append(problem)
