"""Reads the objects that requests carry: media type, kind and version, fields; defaults are filled in."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.apiserver.core import Call
from cybernetes.apiserver.options import WriteOptions
from cybernetes.base.errors import bad_request
from cybernetes.model.schema import decode as schema_decode
from cybernetes.model.schema import default as schema_default
from cybernetes.model.schema.custom.structural import CustomNode
from cybernetes.wire import negotiate

Object = dict[str, Any]

BODY_TYPES = frozenset((negotiate.JSON, negotiate.YAML, negotiate.PROTOBUF))


class Shape(msgspec.Struct, frozen=True):
    """What a body must be: a compiled schema node, a kind, an API version."""

    node: Any
    kind: str
    api_version: str


def shape_of(call: Call) -> Shape:
    row = call.served.resource
    return Shape(call.served.schema_node(), row.kind, row.api_version)


def read(call: Call, shape: Shape, options: WriteOptions, *, defaults: bool = True) -> Object:
    """The request's body as an object, with kind and apiVersion. Raises ApiError 400, 415."""
    content_type = negotiate.media_type(call.request.headers.get("content-type", ""))
    if content_type not in BODY_TYPES:
        raise negotiate.unsupported_media_type()
    if content_type == negotiate.PROTOBUF and isinstance(shape.node, CustomNode):
        raise negotiate.unsupported_media_type(f"{negotiate.JSON}, {negotiate.YAML}")
    return parse(call, call.request.body, content_type, shape, options, defaults=defaults)


def parse(
    call: Call, data: bytes, content_type: str, shape: Shape, options: WriteOptions, *, defaults: bool = True
) -> Object:
    decoded = schema_decode.decode(
        shape.node,
        data,
        content_type,
        kind=shape.kind,
        api_version=shape.api_version,
        field_validation=options.field_validation,
    )
    call.warnings.extend(decoded.warnings)
    obj: Object = decoded.object
    if defaults:
        schema_default.default(shape.node, obj)
    obj["kind"] = shape.kind
    obj["apiVersion"] = shape.api_version
    obj.setdefault("metadata", {})
    return obj


def check_namespace(call: Call, obj: Object) -> None:
    """Give the object the namespace of the URL. Raises ApiError 400 when it names another."""
    metadata = obj["metadata"]
    namespace = call.info.namespace if call.served.resource.namespaced else ""
    if not namespace:
        return
    if metadata.get("namespace", "") not in ("", namespace):
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    metadata["namespace"] = namespace
