"""Response values: objects, lists, Statuses and plain text, with the headers that every answer has."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Any

import orjson
import yaml

from cybernetes.apiserver.core import Call, Core
from cybernetes.apiserver.render import JsonRenderer, MetadataRenderer, Renderer
from cybernetes.apiserver.tables import TableRenderer
from cybernetes.base.errors import ApiError, bad_request
from cybernetes.model.field import quoted
from cybernetes.wire import negotiate
from cybernetes.wire.http.message import PIECE_PARTS, Pieces, Request, Response
from cybernetes.wire.negotiate import Form

Object = dict[str, Any]
Headers = list[tuple[str, str]]

CACHE_CONTROL = ("Cache-Control", "no-cache, private")
# The API server's threshold: below it, compressing costs more time than it saves.
GZIP_MIN = 128 << 10
# Level 1, because the time of large lists counts more than their size on a local network.
GZIP_LEVEL = 1
# zlib's number for its largest window, with the head and tail of gzip around.
GZIP_FORMAT = 31
_LOOPBACK = ("127.", "[::1]")
_BROWSERS = ("curl", "Wget", "Mozilla/5.0")

OBJECT_SHAPES = frozenset((negotiate.TABLE, negotiate.METADATA))
LIST_SHAPES = frozenset((negotiate.TABLE, negotiate.METADATA_LIST))
WATCH_SHAPES = frozenset((negotiate.TABLE, negotiate.METADATA))
_ANY_SHAPE = OBJECT_SHAPES | LIST_SHAPES


def form_of(call: Call, shapes: frozenset[str], *, listed: bool = False) -> Form:
    """The form of the answer. Raises ApiError 406."""
    accept = call.request.headers.get("accept", "")
    form = negotiate.negotiate(accept, shapes, call.served.protobuf)
    if form is not None:
        return form
    other = negotiate.negotiate(accept, _ANY_SHAPE, call.served.protobuf)
    if listed and other is not None and other.shape == negotiate.METADATA:
        kind = call.served.resource.kind
        message = f"you requested PartialObjectMetadata, but the requested object is a list (*core.{kind}List)"
        raise ApiError(406, "NotAcceptable", message)
    raise negotiate.not_acceptable()


def renderer(core: Core, call: Call, form: Form) -> Renderer:
    """The renderer that all requests of this resource and form share. Raises ApiError 400 for unknown wishes."""
    include = _included(call) if form.shape == negotiate.TABLE else ""
    key = (form.media, form.shape, form.version, include)
    found = call.served.renderers.get(key)
    if found is None:
        found = call.served.renderers[key] = _build(core, call, form, include)
    return found


def _included(call: Call) -> str:
    include = call.request.param("includeObject") or "Metadata"
    if include not in ("Metadata", "Object", "None"):
        problem = f"includeObject: Invalid value: {quoted(include)}: must be 'Metadata', 'Object', 'None', or empty"
        raise bad_request(f"Unable to convert to Table as requested: {problem}")
    return include


def _build(core: Core, call: Call, form: Form, include: str) -> Renderer:
    if form.shape == negotiate.TABLE:
        return TableRenderer(call.served, form.version, include, core.clock)
    if form.media == negotiate.PROTOBUF:
        return _protobuf(call, form)
    return MetadataRenderer(call.served, form.version) if form.shape else JsonRenderer(call.served)


def _protobuf(call: Call, form: Form) -> Renderer:
    from cybernetes.apiserver.render_protobuf import ProtobufMetadataRenderer, ProtobufRenderer

    return ProtobufMetadataRenderer(call.served, form.version) if form.shape else ProtobufRenderer(call.served)


def one(core: Core, call: Call, item: bytes, status: int = 200) -> Response:
    """The answer with the object of an item."""
    form = form_of(call, OBJECT_SHAPES)
    rendered = renderer(core, call, form)
    return body(call.request, form, rendered.one(item), status, warnings=call.warnings)


def plain(call: Call, obj: Object, status: int = 200) -> Response:
    """The answer with an object that is not stored: a Status, a review, a Scale. A Status fits every shape."""
    form = form_of(call, _ANY_SHAPE if obj.get("kind") == "Status" else frozenset())
    return body(call.request, form, encoded(form, obj), status, warnings=call.warnings)


def encoded(form: Form, obj: Object) -> bytes:
    """An object in JSON, or in protobuf where `form` says so."""
    if form.media == negotiate.PROTOBUF:
        from cybernetes.apiserver.render_protobuf import encode

        return encode(obj)
    return orjson.dumps(obj)


def body(request: Request, form: Form, data: bytes, status: int, *, warnings: list[str] | None = None) -> Response:
    """An answer with the headers of all API answers. data: protobuf where `form` says so, else JSON."""
    content_type, data = _dressed(request, form, data)
    headers: Headers = [CACHE_CONTROL, ("Content-Type", content_type)]
    if warnings:
        headers += [("Warning", text) for text in warning_headers(warnings)]
    return Response(status, headers, data)


def listed(request: Request, form: Form, pieces: list[bytes], *, warnings: list[str] | None = None) -> Response:
    """An answer with a list, in JSON or as `form` says; a large one is not joined."""
    if len(pieces) <= PIECE_PARTS or form.media == negotiate.YAML or wants_pretty(request):
        return body(request, form, b"".join(pieces), 200, warnings=warnings)
    response = body(request, form, b"", 200, warnings=warnings)
    response.body = Pieces(pieces)
    response.headers.append(("Content-Length", str(response.body.length)))
    return response


async def compressed(request: Request, response: Response) -> Response:
    """Large answers to clients on other machines, where they read gzip; made in a thread, for it takes a while.

    On the machine itself compressing and unpacking would cost far more than moving the bytes.
    """
    data = response.body
    pieces = data.parts if isinstance(data, Pieces) else [data] if isinstance(data, bytes) else []
    if sum(map(len, pieces)) <= GZIP_MIN or "gzip" not in request.headers.get("accept-encoding", ""):
        return response
    if not request.remote or request.remote.startswith(_LOOPBACK):
        return response
    if any(name == "Content-Encoding" for name, _ in response.headers):
        return response
    response.body = await asyncio.to_thread(_gzip, pieces)
    kept = [header for header in response.headers if header[0] != "Content-Length"]
    response.headers = [*kept, ("Content-Encoding", "gzip")]
    return response


def _gzip(pieces: Sequence[bytes]) -> bytes:
    packer = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_FORMAT)
    return b"".join([*map(packer.compress, pieces), packer.flush()])


def _dressed(request: Request, form: Form, json: bytes) -> tuple[str, bytes]:
    """JSON as YAML, or indented, where that is asked for; on one line that is ended, else."""
    if form.media == negotiate.PROTOBUF:
        return negotiate.PROTOBUF, json
    if form.media == negotiate.YAML:
        return negotiate.YAML, to_yaml(orjson.loads(json))
    if wants_pretty(request):
        return negotiate.JSON, orjson.dumps(orjson.loads(json), option=orjson.OPT_INDENT_2) + b"\n"
    return negotiate.JSON, json if json.endswith(b"\n") else json + b"\n"


def to_yaml(value: Any) -> bytes:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return text.encode()


def wants_pretty(request: Request) -> bool:
    if "pretty" in request.query:
        return request.flag("pretty")
    return request.headers.get("user-agent", "").startswith(_BROWSERS)


def failure(request: Request, error: ApiError, warnings: list[str] | None = None) -> Response:
    """The Status of an error, in a media type that the client reads; JSON when it accepts none."""
    form = negotiate.negotiate(request.headers.get("accept", ""), frozenset()) or negotiate.PLAIN
    response = body(request, form, encoded(form, error.status()), error.code, warnings=warnings)
    response.headers += list(error.headers.items())
    retry = (error.details or {}).get("retryAfterSeconds")
    if retry and "Retry-After" not in error.headers:
        response.headers.append(("Retry-After", str(retry)))
    return response


def text(status: int, message: str) -> Response:
    headers: Headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
    return Response(status, [CACHE_CONTROL, *headers], message.encode())


def json(value: Any, status: int = 200) -> Response:
    return Response(status, [CACHE_CONTROL, ("Content-Type", negotiate.JSON)], orjson.dumps(value))


# Header space for warnings of one answer; longer ones are cut, so that proxies don't refuse the whole answer.
WARNINGS_BYTES_MAX = 4096
WARNING_BYTES_CUT = 256


def warning_headers(warnings: list[str]) -> list[str]:
    # Webhooks say what they like: nothing of it may end the header, or steer a terminal.
    texts = list(dict.fromkeys("".join(c if c.isprintable() else " " for c in each) for each in warnings if each))
    if sum(map(len, texts)) > WARNINGS_BYTES_MAX:
        texts = [each[:WARNING_BYTES_CUT] for each in texts]
    headers, size = [], 0
    for each in texts:
        size += len(each)
        if size > WARNINGS_BYTES_MAX:
            break
        escaped = each.replace("\\", "\\\\").replace('"', '\\"')
        headers.append(f'299 - "{escaped}"')
    return headers
