"""Patches: the three kinds that change a document, and server-side apply, which `model.apply` decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import orjson

from cybernetes.apiserver import body, respond, write
from cybernetes.apiserver.body import Shape
from cybernetes.apiserver.core import Call, Core, Object
from cybernetes.apiserver.handlers.update import check_identity
from cybernetes.apiserver.options import WriteOptions, write_options
from cybernetes.base.errors import ApiError, bad_request
from cybernetes.model import field, patch, strategic
from cybernetes.model.field import Path
from cybernetes.model.resource import Strategy
from cybernetes.model.schema import decode as schema_decode
from cybernetes.model.schema import default as schema_default
from cybernetes.model.schema.restoring import restored
from cybernetes.model.schema.strict import json_type
from cybernetes.wire import negotiate
from cybernetes.wire.http.message import Response

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

OPERATIONS_MAX = 10_000

T = TypeVar("T")

_STRICT = "strict decoding error: "


class Patch(msgspec.Struct, frozen=True):
    """A patch that was read.

    change    from a document to the patched one; raises ApiError 400, 422
    shown     the patch as errors print it; "" where they print what came of it
    repeated  what to say of fields that it has more than once
    """

    change: Callable[[Object], Object]
    shown: str = ""
    repeated: Sequence[str] = ()


class Target(msgspec.Struct, frozen=True):
    """What is patched: the object (subresource "") or a view of it of the same shape."""

    shape: Shape
    strategy: Strategy
    subresource: str = ""


async def patch_object(core: Core, call: Call) -> Response:
    return await apply_patch(core, call, Target(body.shape_of(call), call.served.resource.strategy))


async def apply_patch(core: Core, call: Call, target: Target) -> Response:
    content_type = negotiate.media_type(call.request.headers.get("content-type", ""))
    options = patch_options(call, content_type)
    if content_type == APPLY_PATCH:
        return await _server_side_apply(core, call, target, options)
    patch_read = patch_of(call, content_type, target.shape)
    change = write.Change(
        apply=lambda old: _patched(call, target.shape, patch_read, old, options),
        strategy=target.strategy,
        subresource=target.subresource,
    )
    written = await write.update(core, call, change, options)
    return respond.one(core, call, written.item)


def patch_options(call: Call, content_type: str) -> WriteOptions:
    """Raises ApiError 415 for a patch type that the resource does not take, 422 for options that do not fit it."""
    allowed = {JSON_PATCH, MERGE_PATCH, APPLY_PATCH, *(() if call.served.custom else (STRATEGIC_PATCH,))}
    if content_type not in allowed:
        if call.served.custom:
            raise negotiate.unsupported_media_type(", ".join((JSON_PATCH, MERGE_PATCH, APPLY_PATCH)))
        # The reference's router refuses it, before anything is known of the resource: its deprecation neither.
        call.warnings.clear()
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    options = write_options(call.request, "PatchOptions")
    errors = []
    if content_type == APPLY_PATCH and not call.request.param("fieldManager"):
        errors.append(field.required(Path("fieldManager"), "is required for apply patch"))
    if content_type != APPLY_PATCH and options.force is not None:
        errors.append(field.forbidden(Path("force"), "may not be specified for non-apply patch"))
    if errors:
        raise field.invalid_object("meta.k8s.io", "PatchOptions", "", errors)
    return options


def patch_of(call: Call, content_type: str, shape: Shape) -> Patch:
    """Raises ApiError 400, 413."""
    document = _parsed(call.request.body)
    if content_type == JSON_PATCH:
        operations: list[object] = _held(document, list, "jsonpatch.Patch")
        for each in operations:
            _held(each, dict, "jsonpatch.Operation")
        if len(operations) > OPERATIONS_MAX:
            limit = f"The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {len(operations)}"
            raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: {limit}")
        repeated = [f"json patch {each}" for each in _repeated(call.request.body, operations)]
        return Patch(lambda doc: patch.json_patch(doc, operations), repeated=repeated)
    if document is None and content_type == MERGE_PATCH:
        raise bad_request("Invalid JSON Patch")
    changes: Object = _held(document, dict, "map[string]interface {}")
    repeated = _repeated(call.request.body, changes)
    if content_type == MERGE_PATCH:
        return Patch(lambda doc: patch.merge_patch(doc, changes), repeated=repeated)
    shown = strategic.printed(changes)

    def change(doc: Object) -> Object:
        return _typed(shape, strategic.strategic_merge(shape.node, doc, changes))

    return Patch(change, shown=shown, repeated=repeated)


def _typed(shape: Shape, document: Object) -> Object:
    """Strategic patches change the fields of a type: another kind or version that they name means nothing.

    So scaling with the kind of the workload is the same as with Scale, which clients do.
    """
    own = {"kind": shape.kind, "apiVersion": shape.api_version}
    return {**document, **{name: text for name, text in own.items() if isinstance(document.get(name), str)}}


def _held(value: object, kind: type[T], name: str) -> T:
    """The value, which must be of a type; null is an empty one. Raises ApiError 400."""
    if value is None:
        return kind()
    if not isinstance(value, kind):
        why = f"json: cannot unmarshal {json_type(value)} into Go value of type {name}"
        raise bad_request(f"error decoding patch: {why}")
    return value


def _parsed(data: bytes) -> object:
    from cybernetes.wire import json as json_codec

    try:
        parsed: object = json_codec.decode(data)
    except json_codec.SyntaxProblem as problem:
        raise bad_request(f"error decoding patch: {problem}") from problem
    return parsed


def _repeated(data: bytes, document: object) -> list[str]:
    from cybernetes.wire import json as json_codec

    return [f'duplicate field "{path}"' for path in json_codec.repeated_fields(data, document)]


def _patched(call: Call, shape: Shape, patch_read: Patch, old: Object, options: WriteOptions) -> Object:
    identity = old["metadata"]["name"], old["metadata"].get("namespace", "")
    new = patched(call, shape, patch_read, old, options)
    metadata = new.setdefault("metadata", {})
    metadata.setdefault("name", identity[0])
    if identity[1]:
        metadata.setdefault("namespace", identity[1])
    check_identity(call, new)
    return new


def patched(call: Call, shape: Shape, patch_read: Patch, old: Object, options: WriteOptions) -> Object:
    """What the patch makes of `old`. Raises ApiError 422 if that is no such object: then the patch is to blame."""
    document = patch_read.change(old)
    repeated = patch_read.repeated if options.field_validation != "Ignore" else ()
    strict = options.field_validation == "Strict"
    if not strict:
        call.warnings.extend(repeated)
    try:
        new = redecoded(call, shape, document, options)
    except ApiError as error:
        raise _unfit(patch_read, document, error, repeated) from error
    if repeated and strict:
        raise _invalid(patch_read, document, _STRICT + ", ".join(repeated))
    return new


def redecoded(call: Call, shape: Shape, document: Object, options: WriteOptions) -> Object:
    """A changed document as an object: types checked, unknown fields dropped, defaults filled in."""
    decoded = schema_decode.decode(
        shape.node,
        orjson.dumps(document),
        negotiate.JSON,
        kind=shape.kind,
        api_version=shape.api_version,
        field_validation=options.field_validation,
    )
    call.warnings.extend(decoded.warnings)
    obj = decoded.object
    schema_default.default(shape.node, obj)
    return {"kind": shape.kind, "apiVersion": shape.api_version, **obj}


def _unfit(patch_read: Patch, document: Object, error: ApiError, repeated: Sequence[str]) -> ApiError:
    """Without the words on kind and version, which the patch does not say. Wrong types are told before fields."""
    problem = error.why if isinstance(error, schema_decode.Undecodable) else error.message
    if problem.startswith(_STRICT):
        problem = _STRICT + ", ".join((*repeated, problem.removeprefix(_STRICT)))
    return _invalid(patch_read, document, restored(problem) if patch_read.shown else problem)


def _invalid(patch_read: Patch, document: Object, problem: str) -> ApiError:
    """Of no kind and no name, as the reference says it."""
    shown = patch_read.shown or orjson.dumps(document).decode()
    return field.invalid_object("", "", "", [field.invalid(Path("patch"), shown, problem)])


async def _server_side_apply(core: Core, call: Call, target: Target, options: WriteOptions) -> Response:
    from cybernetes.apiserver.handlers.apply import server_side_apply

    return await server_side_apply(core, call, target, options)
