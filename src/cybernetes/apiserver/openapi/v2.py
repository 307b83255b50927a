"""OpenAPI v2 (swagger): one document of everything, for older clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from cybernetes.apiserver.discovery import Listing
from cybernetes.apiserver.openapi import operations as ops
from cybernetes.apiserver.openapi import parameters, schemas
from cybernetes.apiserver.openapi.custom import SELECTABLE
from cybernetes.apiserver.openapi.operations import Operation
from cybernetes.apiserver.openapi.v3 import CUSTOM_MEDIA, MEDIA, TITLE

Document = dict[str, Any]
_PRESERVED = "x-kubernetes-preserve-unknown-fields"
# Keywords of JSON schema that swagger doesn't have.
_FOREIGN = ("oneOf", "anyOf", "not", "nullable", "deprecated", "writeOnly")


def document(listing: Listing, custom: Mapping[str, bytes], version: str) -> Document:
    """The whole document as a value: `orjson.dumps` gives its JSON, `gnostic.encode` its protobuf.

    cost  some hundred milliseconds; a caller keeps the bytes until what is served changes
    """
    paths: Document = {}
    used: set[str] = set()
    for row in listing.rows:
        media = CUSTOM_MEDIA if row.group in listing.custom else MEDIA
        for each in ops.operations(row):
            entry = paths.setdefault(each.path, {})
            entry[each.method] = _operation(each, media)
            if "parameters" not in entry:
                entry["parameters"] = _shared(each)
            used.update(name for name in (each.body, *(name for _, name in each.answers)) if name)
    definitions = {
        name: converted(open_ended(orjson.loads(text)) if name in custom else orjson.loads(text))
        for name, text in schemas.closure(used, custom).items()
    }
    return {
        "swagger": "2.0",
        "info": {"title": TITLE, "version": version},
        "paths": {path: paths[path] for path in sorted(paths)},
        "definitions": definitions,
        "securityDefinitions": {
            "BearerToken": {
                "description": "Bearer Token authentication",
                "type": "apiKey",
                "name": "authorization",
                "in": "header",
            }
        },
        "security": [{"BearerToken": []}],
    }


def _operation(each: Operation, media: tuple[str, ...]) -> Document:
    group, version, kind = each.kind
    tag = ops.camel(*ops.group_version(each.path))
    types = [*media, *(f"{t};stream=watch" for t in media[:-1])] if each.streams else list(media)
    out: Document = {
        "description": each.description,
        "consumes": list(_consumes(each, media)),
        "produces": types if all(name for _, name in each.answers) else ["*/*"],
        "schemes": ["https"],
        "tags": [tag[:1].lower() + tag[1:]],
        "operationId": each.id,
        "parameters": [_flat(parameters.query(name)) for name in each.parameters],
        "responses": _responses(each),
        "x-kubernetes-action": each.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }
    if each.body:
        body: Document = {"name": "body", "in": "body", "schema": _reference(each.body)}
        if each.method != "delete":
            body["required"] = True
        out["parameters"].insert(0, body)
    return out


def _consumes(each: Operation, media: tuple[str, ...]) -> tuple[str, ...]:
    if each.method == "patch" and each.body:
        return ops.PATCH_TYPES if media is MEDIA else tuple(t for t in ops.PATCH_TYPES if "strategic" not in t)
    return ("*/*",) if media is MEDIA else media


def _responses(each: Operation) -> Document:
    words = {200: "OK", 201: "Created", 202: "Accepted"}
    out: Document = {
        str(code): {"description": words[code], "schema": _reference(name) if name else {"type": "string"}}
        for code, name in each.answers
    }
    out["401"] = {"description": "Unauthorized"}
    return out


def _shared(each: Operation) -> list[Document]:
    names = [name for name in ("name", "namespace", "path") if f"{{{name}}}" in each.path]
    found = [_flat(parameters.of_path(name, each.kind[2])) for name in names]
    return [*found, _flat(parameters.query("pretty"))] if each.pretty else found


def _flat(parameter: Document) -> Document:
    """Swagger has the type beside the name."""
    return {**{key: value for key, value in parameter.items() if key != "schema"}, **parameter["schema"]}


def _reference(name: str) -> Document:
    return {"$ref": "#/definitions/" + name}


def open_ended(schema: Document) -> Document:
    """A custom resource's schema; only that it is an object where it takes everything.

    Clients that check with v2 refuse what is not among the properties, if there are any.
    """
    if not schema.get(_PRESERVED):
        return _lenient(schema)
    kept = ("type", "x-kubernetes-group-version-kind", SELECTABLE)
    return {key: value for key, value in schema.items() if key in kept}


def _lenient(schema: Document) -> Document:
    """Without what such clients would hold against nulls and unknown fields that the resource takes."""
    preserved, properties = bool(schema.get(_PRESERVED)), schema.get("properties") or {}
    out = dict(schema)
    if schema.get("nullable") or preserved:
        _drop(out, "items", "properties")
    if schema.get("nullable") or (out.get("type") == "array" and "items" not in out):
        _drop(out, "type")
    if "properties" in out:
        nullable = {name for name, each in properties.items() if each.get("nullable")}
        out["properties"] = {name: _lenient(each) for name, each in properties.items()}
        out["required"] = [name for name in out.get("required") or () if name not in nullable]
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), dict):
            out[key] = _lenient(out[key])
    if not out.get("required") or _nullable_values(schema):
        _drop(out, "required")
    return out


def _nullable_values(schema: Document) -> bool:
    values = schema.get("additionalProperties")
    return isinstance(values, dict) and bool(values.get("nullable"))


def _drop(schema: Document, *keys: str) -> None:
    for key in keys:
        schema.pop(key, None)


def converted(schema: Document) -> Document:
    """A schema of v3 as v2 has it: references bare, no defaults of zero values, numbers with units as strings."""
    if "oneOf" in schema and "type" not in schema:
        kept = {key: value for key, value in schema.items() if key in ("description", "format")}
        return {**kept, "type": "string"}
    out: Document = {}
    for key, value in schema.items():
        if key == "allOf" and len(value) == 1 and "$ref" in value[0]:
            out["$ref"] = value[0]["$ref"].replace("#/components/schemas/", "#/definitions/")
        elif key == "$ref":
            out["$ref"] = value.replace("#/components/schemas/", "#/definitions/")
        elif key == "properties":
            out[key] = {name: converted(each) for name, each in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            out[key] = converted(value)
        elif key == "default" and value in ("", 0, False, {}):
            continue
        elif key not in _FOREIGN and key != "allOf":
            out[key] = value
    return out
