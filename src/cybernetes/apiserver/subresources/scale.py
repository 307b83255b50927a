"""Scale: the number of replicas of any workload, in one shape (autoscaling/v1)."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from cybernetes.apiserver import body, respond, stored, write
from cybernetes.apiserver.body import Shape
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.handlers.patch import APPLY_PATCH, patch_of, patch_options, patched, redecoded
from cybernetes.apiserver.handlers.update import check_identity
from cybernetes.apiserver.options import WriteOptions, write_options
from cybernetes.apiserver.tables import table_of
from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import not_found
from cybernetes.model import field
from cybernetes.model.field import Path
from cybernetes.model.printing.formats import selector_text
from cybernetes.model.printing.workloads import SCALES
from cybernetes.wire import negotiate
from cybernetes.wire.http.message import Response

API_VERSION = "autoscaling/v1"


def _shape() -> Shape:
    from cybernetes.model.schema import compile as schema_compile

    return Shape(schema_compile.node("io.k8s.api.autoscaling.v1.Scale"), "Scale", API_VERSION)


async def read(core: Core, call: Call) -> Response:
    await core.consistent()
    item = core.caches.of(*call.served.keeper).state.get(write.place(call, call.info.name))
    if item is None:
        raise not_found(*call.not_found)
    scale = scale_of(call, call.served.decode((await call.served.shown(item)).json))
    form = respond.form_of(call, frozenset((negotiate.TABLE,)))
    if form.shape:
        table = table_of(scale, SCALES, form.version, core.clock.now())
        return respond.body(call.request, form, orjson.dumps(table), 200, warnings=call.warnings)
    return respond.plain(call, scale)


async def update(core: Core, call: Call) -> Response:
    options = write_options(call.request, "UpdateOptions")
    scale = body.read(call, _shape(), options)
    check_identity(call, scale)
    return await _write(core, call, lambda current: scale, options, bool(write.asked_version(scale)))


async def patch(core: Core, call: Call) -> Response:
    content_type = negotiate.media_type(call.request.headers.get("content-type", ""))
    options = patch_options(call, content_type)
    shape = _shape()
    if content_type == APPLY_PATCH:
        return await _server_side_apply(core, call, shape, options)
    patch_read = patch_of(call, content_type, shape)
    return await _write(core, call, lambda current: patched(call, shape, patch_read, current, options), options, False)


async def _write(
    core: Core, call: Call, wanted: Callable[[Object], Object], options: WriteOptions, versioned: bool
) -> Response:
    def apply(obj: Object) -> Object:
        scale = wanted(scale_of(call, obj))
        replicas = scale.get("spec", {}).get("replicas", 0)
        _check(call, replicas)
        asked = write.asked_version(scale)
        if asked:
            obj["metadata"]["resourceVersion"] = asked
        if scale["metadata"].get("uid"):
            obj["metadata"]["uid"] = scale["metadata"]["uid"]
        set_replicas(call, obj, replicas)
        return obj

    return await _commit(core, call, _change(call, apply, lenient=not versioned), options)


async def _server_side_apply(core: Core, call: Call, shape: Shape, options: WriteOptions) -> Response:
    """The apply of a Scale is one of its workload that names nothing but the replicas."""
    from cybernetes.apiserver.handlers.apply import configuration_of
    from cybernetes.model import apply

    configuration = configuration_of(call, shape, options)
    apply.check(shape.node, configuration, shape.api_version)
    scale = redecoded(call, shape, configuration, options)
    check_identity(call, scale)
    workload = body.shape_of(call)
    named: Object = {"apiVersion": workload.api_version, "kind": workload.kind, "metadata": {"name": call.info.name}}
    if (configuration.get("spec") or {}).get("replicas") is not None:
        set_replicas(call, named, scale["spec"].get("replicas", 0))
    now = rfc3339(core.clock.now())
    writing = apply.Writing(manager=options.manager, api_version=workload.api_version, now=now, subresource="scale")
    asked = write.asked_version(scale)

    def merged(obj: Object) -> Object:
        found = apply.apply(workload.node, obj, named, writing, force=bool(options.force)).object
        found["metadata"]["resourceVersion"] = asked or obj["metadata"]["resourceVersion"]
        replicas = lookup(found, call.served.scale_paths.spec_replicas) or 0
        assert isinstance(replicas, int)
        _check(call, replicas)
        # Who gives the number up leaves none, if nobody else wants one.
        set_replicas(call, found, replicas)
        return found

    return await _commit(core, call, _change(call, merged, lenient=not asked, track=False), options)


def _change(call: Call, apply: Callable[[Object], Object], *, lenient: bool, track: bool = True) -> write.Change:
    def take(obj: Object, seen: Object) -> None:
        replicas = seen.get("spec", {}).get("replicas", 0)
        if replicas != lookup(obj, call.served.scale_paths.spec_replicas):
            _check(call, replicas)
            set_replicas(call, obj, replicas)

    return write.Change(
        apply=apply,
        strategy=call.served.resource.strategy,
        subresource="scale",
        lenient=lenient,
        track=track,
        seen=lambda obj: scale_of(call, obj),
        take=take,
    )


async def _commit(core: Core, call: Call, change: write.Change, options: WriteOptions) -> Response:
    written = await write.update(core, call, change, options)
    kept = {"kind": call.served.stored.kind, **stored.decode(written.item)}
    return respond.plain(call, scale_of(call, kept))


def _check(call: Call, replicas: int) -> None:
    if replicas < 0:
        error = field.invalid(Path("spec").child("replicas"), replicas, "must be greater than or equal to 0")
        raise field.invalid_object("autoscaling", "Scale", call.info.name, [error])


def scale_of(call: Call, obj: Object) -> Object:
    """The Scale of a workload."""
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    paths = call.served.scale_paths
    replicas = lookup(obj, paths.spec_replicas)
    status: Object = {"replicas": lookup(obj, paths.status_replicas) or 0}
    chosen = lookup(obj, paths.selector) if paths.selector else None
    text = _selector_text(chosen)
    if text:
        status["selector"] = text
    return {
        "kind": "Scale",
        "apiVersion": API_VERSION,
        "metadata": {key: metadata[key] for key in kept if metadata.get(key)},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _selector_text(chosen: object) -> str:
    if isinstance(chosen, str) or not isinstance(chosen, dict):
        return chosen if isinstance(chosen, str) else ""
    if "matchLabels" not in chosen and "matchExpressions" not in chosen:
        chosen = {"matchLabels": chosen}
    return selector_text(chosen)


def set_replicas(call: Call, obj: Object, replicas: int) -> None:
    *parents, last = call.served.scale_paths.spec_replicas
    node = obj
    for part in parents:
        node = node.setdefault(part, {})
    node[last] = replicas


def lookup(obj: Object, path: tuple[str, ...]) -> object:
    node: object = obj
    for part in path:
        if not isinstance(node, dict):
            return None
        node = node.get(part)
    return orjson.loads(orjson.dumps(node)) if isinstance(node, dict) else node
