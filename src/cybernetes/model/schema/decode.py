"""Bodies of requests to objects, with the words of the reference when they are wrong.

source  "Clients" 1.4, 2 and 8; "Validation" 1
"""

from __future__ import annotations

import binascii
from typing import Any, cast

import msgspec

from cybernetes.base.errors import ApiError, Bug, bad_request
from cybernetes.model.schema.compile import kinds, node
from cybernetes.model.schema.custom import read as custom
from cybernetes.model.schema.custom.structural import CustomNode
from cybernetes.model.schema.node import Node, StructNode
from cybernetes.model.schema.reader import Mismatch, converter
from cybernetes.model.schema.strict import Walk, json_type
from cybernetes.wire import json as json_codec

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
# Strict errors and warnings name at most so many fields.
MAX_COMPLAINTS = 100
_TYPEMETA = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


class Decoded(msgspec.Struct, frozen=True):
    """The object is the caller's own: kind and apiVersion first, fields in the order of the struct."""

    object: dict[str, Any]
    warnings: tuple[str, ...] = ()


def decode(
    node: StructNode,
    body: bytes,
    content_type: str,
    *,
    kind: str,
    api_version: str,
    field_validation: str = "Warn",
) -> Decoded:
    """The object in a body that should hold `kind` of `api_version`.

    field_validation  "Strict", "Warn" (also "") or "Ignore": what unknown and repeated fields lead to
    raises  ApiError 400; 415 for a content type that is not known
    """
    media = content_type.partition(";")[0].strip().lower() or JSON
    expected = Expected(node, kind, api_version)
    if media == PROTOBUF:
        return _decode_protobuf(expected, body)
    repeated: list[str] = []
    try:
        if media == JSON:
            value = json_codec.decode(body)
            if isinstance(node, CustomNode):
                json_codec.check_finite(body, value)
        elif media == YAML:
            from cybernetes.wire import yaml as yaml_codec

            value, repeated = yaml_codec.decode(body)
        else:
            raise unsupported_media_type()
    except json_codec.SyntaxProblem as problem:
        reader = "json parse error: " if media == JSON else ""
        raise expected.unrecognized(f"couldn't get version/kind; {reader}{problem}", body) from problem
    complain = field_validation != "Ignore"
    if complain and media == JSON:
        repeated = [f'duplicate field "{path}"' for path in json_codec.repeated_fields(body, value)]
    return decode_value(expected, value, body, repeated if complain else [], field_validation)


def unsupported_media_type() -> ApiError:
    listed = ", ".join((JSON, YAML, PROTOBUF))
    message = f"the body of the request was in an unknown format - accepted media types include: {listed}"
    return ApiError(415, "UnsupportedMediaType", message)


class Undecodable(ApiError):
    """A body that holds no such object: `why` is the decoder's own words, without those on what was expected."""

    def __init__(self, message: str, why: str) -> None:
        super().__init__(400, "BadRequest", message)
        self.why = why


class Expected(msgspec.Struct, frozen=True):
    """What the endpoint takes."""

    node: StructNode
    kind: str
    api_version: str

    def unrecognized(self, why: str, body: bytes) -> Undecodable:
        expected = f"the object provided is unrecognized (must be of type {self.kind})"
        return Undecodable(f"{expected}: {why} ({_summary(body)})", why)

    def unfit(self, kind: str, api_version: str, why: str) -> Undecodable:
        version = api_version.rpartition("/")[2]
        return Undecodable(f'{kind} in version "{version}" cannot be handled as a {self.kind}: {why}', why)


def _summary(body: bytes) -> str:
    if not body:
        return "<empty>"
    shown = body[:30]
    text = shown.decode("utf-8", "replace") if body[:1] == b"{" else binascii.hexlify(shown).decode()
    return text + (" ..." if len(body) > 30 else "")


def decode_value(
    expected: Expected, value: Any, body: bytes, repeated: list[str], field_validation: str = "Warn"
) -> Decoded:
    """The same for a value that is already parsed; `repeated` are complaints that its parser had."""
    kind, api_version = _identify(expected, value, body)
    if value is None:
        value = {}
    if isinstance(expected.node, CustomNode):
        return _decode_custom(expected, value, kind, api_version, body, repeated, field_validation)
    found = _definition(expected, kind, api_version)
    value["kind"], value["apiVersion"] = kind, api_version
    obj, complaints = _read(found, value, expected, kind, api_version)
    complaints = _in_order(complaints, repeated, body)
    if complaints and field_validation == "Strict":
        raise expected.unfit(kind, api_version, "strict decoding error: " + ", ".join(complaints))
    if found.name != expected.node.name:
        raise _inconvertible(expected, found, kind, api_version)
    return Decoded(obj, tuple(complaints) if field_validation in ("", "Warn") else ())


def _decode_custom(
    expected: Expected,
    value: dict[str, Any],
    kind: str,
    api_version: str,
    body: bytes,
    repeated: list[str],
    field_validation: str,
) -> Decoded:
    if api_version != expected.api_version:
        raise _other_version(expected, api_version)
    if kind != expected.kind:
        raise expected.unfit(kind, api_version, f'expected kind "{expected.kind}"')
    value["kind"], value["apiVersion"] = kind, api_version
    obj, unknown, error = custom.read(cast(CustomNode, expected.node), value)
    if error is not None:
        raise expected.unfit(kind, api_version, error)
    complaints = _in_order([f'unknown field "{path}"' for path in unknown], repeated, body)
    if complaints and field_validation == "Strict":
        raise expected.unfit(kind, api_version, "strict decoding error: " + ", ".join(complaints))
    return Decoded(obj, tuple(complaints) if field_validation in ("", "Warn") else ())


_DUPLICATE = 'duplicate field "'


def _in_order(unknown: list[str], repeated: list[str], body: bytes) -> list[str]:
    """All complaints; those of JSON in the order of the text, which matters only when there are of both kinds."""
    if not (unknown and repeated and repeated[0].startswith(_DUPLICATE)):
        return (unknown + repeated)[:MAX_COMPLAINTS]
    positions: dict[str, list[int]] = {}
    for i, path in enumerate(json_codec.field_paths(body)):
        positions.setdefault(path, []).append(i)

    def position(complaint: str) -> int:
        found = positions.get(complaint.split('"')[1], [len(body)])
        return found[1] if complaint.startswith(_DUPLICATE) and len(found) > 1 else found[0]

    return sorted(unknown + repeated, key=position)[:MAX_COMPLAINTS]


def _identify(expected: Expected, value: Any, body: bytes) -> tuple[str, str]:
    """(kind, apiVersion) as the body says, or as the endpoint has them where it does not."""
    if value is None:
        return expected.kind, expected.api_version
    prefix = "couldn't get version/kind; json parse error: json: cannot unmarshal "
    if not isinstance(value, dict):
        raise expected.unrecognized(f"{prefix}{json_type(value)} into Go value of type {_TYPEMETA}", body)
    for field in ("apiVersion", "kind"):
        if not isinstance(value.get(field), str | None):
            why = f"{prefix}{json_type(value[field])} into Go struct field .{field} of type string"
            raise expected.unrecognized(why, body)
    return value.get("kind") or expected.kind, value.get("apiVersion") or expected.api_version


def _definition(expected: Expected, kind: str, api_version: str) -> StructNode:
    if kind == expected.kind and api_version == expected.api_version:
        return expected.node
    name = kinds().get(api_version, {}).get(kind)
    if name is None:
        why = (
            f'no kind "{kind}" is registered for version "{api_version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
        )
        raise expected.unfit(kind, api_version, why)
    return node(name)


def _inconvertible(expected: Expected, found: StructNode, kind: str, api_version: str) -> ApiError:
    if kind == expected.kind:
        return _other_version(expected, api_version)
    version, group = api_version.rpartition("/")[2], expected.api_version.rpartition("/")[0]
    internal = group.partition(".")[0] or "core"
    why = f"converting ({version}.{kind}) to ({internal}.{expected.kind}): unknown conversion"
    return expected.unfit(kind, api_version, why)


def _other_version(expected: Expected, api_version: str) -> ApiError:
    return bad_request(
        f"the API version in the data ({api_version}) does not match the expected API version ({expected.api_version})"
    )


def _read(
    found: StructNode, value: dict[str, Any], expected: Expected, kind: str, api_version: str
) -> tuple[dict[str, Any], list[str]]:
    try:
        return converter(found)(value), []
    except Mismatch:
        walk = Walk()
        obj = walk.read(found, value)
    if walk.error is not None:
        raise expected.unfit(kind, api_version, walk.error)
    return obj, [f'unknown field "{path}"' for path in walk.unknown]


def _decode_protobuf(expected: Expected, body: bytes) -> Decoded:
    """Protobuf has no unknown fields to complain of, and its types were fixed by the client."""
    from cybernetes.wire import protobuf

    try:
        envelope = protobuf.open_envelope(body)
    except protobuf.ProtobufProblem as problem:
        raise expected.unrecognized(str(problem), body) from problem
    kind, api_version = envelope.kind or expected.kind, envelope.api_version or expected.api_version
    found = _definition(expected, kind, api_version)
    try:
        value = protobuf.decode(found, envelope.raw)
    except protobuf.ProtobufProblem as problem:
        raise expected.unfit(kind, api_version, str(problem)) from problem
    value["kind"], value["apiVersion"] = kind, api_version
    obj, _ = _read(found, value, expected, kind, api_version)
    if found.name != expected.node.name:
        raise _inconvertible(expected, found, kind, api_version)
    return Decoded(obj)


def normalize(node: Node, value: Any) -> Any:
    """A trusted value (the server's own, or stored by it) in the form that decoding gives; unknown fields go.

    raises  Bug when it has a wrong type somewhere
    """
    if isinstance(node, CustomNode):
        return custom.read(node, value)[0]
    try:
        return converter(node)(value)
    except Mismatch:
        walk = Walk()
        out = walk.read(node, value)
    if walk.error is not None:
        raise Bug(f"value does not fit its schema: {walk.error}")
    return out
