"""OpenAPI v3: the index, and a document per group version and per discovery path."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import orjson

from cybernetes.apiserver.discovery import Listing
from cybernetes.apiserver.openapi import operations as ops
from cybernetes.apiserver.openapi import parameters, schemas
from cybernetes.apiserver.openapi.operations import META, Operation
from cybernetes.model.resource import Resource

TITLE = "Kubernetes"
MEDIA = ("application/json", "application/vnd.kubernetes.protobuf", "application/yaml")
CUSTOM_MEDIA = ("application/json", "application/yaml")
# Definitions that every document of a group version has, beside those of its operations.
_GROUP_VERSION = (META + "APIResourceList",)
_SECURITY = {
    "BearerToken": {
        "description": "Bearer Token authentication",
        "in": "header",
        "name": "authorization",
        "type": "apiKey",
    }
}
# Paths that are no group versions: path -> definition of the answer ("" for text).
_PLAIN = {
    "api": META + "APIVersions",
    "apis": META + "APIGroupList",
    "version": "io.k8s.apimachinery.pkg.version.Info",
    "openid/v1/jwks": "",
    ".well-known/openid-configuration": "",
}


def paths(listing: Listing) -> list[str]:
    """Names of all documents: `api/v1`, `apis/apps/v1`, `apis/apps`, `version`."""
    found = {row.path.lstrip("/") for row in listing.rows}
    found |= {f"apis/{group}" for group in {row.group for row in listing.rows} if group and group not in listing.custom}
    return sorted(found | set(_PLAIN))


def index(listing: Listing, custom: Mapping[str, bytes], version: str) -> bytes:
    """`/openapi/v3`. custom: definitions of custom resources."""
    found = {
        path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest(listing, path, custom, version)}"}
        for path in paths(listing)
    }
    for each in listing.remote:
        if each.document:
            found[f"apis/{each.group}/{each.version}"] = {"serverRelativeURL": each.document}
    return orjson.dumps({"paths": {path: found[path] for path in sorted(found)}})


@cache
def _definitions_digest() -> bytes:
    data = (resources.files("cybernetes.model.schema") / "generated" / "openapi.tsv").read_bytes()
    return hashlib.sha512(data).digest()


def digest(listing: Listing, path: str, custom: Mapping[str, bytes], version: str) -> str:
    """The hash of a document, from what it is made of: asking for the index makes no document."""
    made = hashlib.sha512(_definitions_digest())
    made.update(version.encode())
    for row in _rows(listing, path):
        shape = (row.plural, row.kind, row.namespaced, row.verbs, row.schema)
        made.update(repr((shape, [(sub.name, sub.kind, sub.verbs) for sub in row.subresources])).encode())
        made.update(custom.get(row.schema, b""))
    return made.hexdigest().upper()


def _rows(listing: Listing, path: str) -> list[Resource]:
    parts = path.split("/")
    if parts[0] == "api" and len(parts) == 2:
        return listing.of("", parts[1])
    if parts[0] == "apis" and len(parts) == 3:
        return listing.of(parts[1], parts[2])
    return []


def document(listing: Listing, path: str, custom: Mapping[str, bytes], version: str) -> bytes | None:
    """The document of `paths` named `path`; None where there is none. Costs some 20 ms for the largest."""
    if path not in paths(listing):
        return None
    rows = _rows(listing, path)
    written: dict[str, Any] = {}
    used: set[str] = set()
    if rows:
        group_path = f"/{path}/"
        is_custom = rows[0].group in listing.custom
        if not is_custom:
            _add_plain(written, used, group_path, _GROUP_VERSION[0], "get available resources")
        found = [each for row in rows for each in ops.operations(row)]
        _add_operations(written, used, found, CUSTOM_MEDIA if is_custom else MEDIA)
    else:
        answer = _PLAIN.get(path, META + "APIGroup")
        _add_plain(written, used, f"/{path}/", answer, f"get information of {path}")
    head = {"openapi": "3.0.0", "info": {"title": TITLE, "version": version}, "paths": written}
    components = schemas.joined(schemas.closure(used, custom))
    security = orjson.dumps(_SECURITY)
    body = orjson.dumps(head)[:-1]
    return b'%s,"components":{"schemas":%s,"securitySchemes":%s}}' % (body, components, security)


def _add_plain(written: dict[str, Any], used: set[str], path: str, answer: str, description: str) -> None:
    media: Iterable[str] = MEDIA if answer else ("application/json",)
    if answer.endswith("Info"):
        media = ("application/json",)
    if answer:
        used.add(answer)
    schema = _reference(answer) if answer else {"type": "string"}
    content = {each: {"schema": schema} for each in media}
    responses = {"200": {"description": "OK", "content": content}, "401": {"description": "Unauthorized"}}
    tag = [path.strip("/").replace("/", "_").replace(".", "_")]
    name = "get" + "".join(word[:1].upper() + word[1:] for word in path.strip("/").replace(".", "/").split("/"))
    written[path] = {"get": {"tags": tag, "description": description, "operationId": name, "responses": responses}}


def _add_operations(written: dict[str, Any], used: set[str], found: list[Operation], media: tuple[str, ...]) -> None:
    by_path: dict[str, list[Operation]] = {}
    for each in found:
        by_path.setdefault(each.path, []).append(each)
        used.update(name for name in (each.body, *(name for _, name in each.answers)) if name)
    for path in sorted(by_path):
        at_path = by_path[path]
        entry: dict[str, Any] = {each.method: _operation(each, media) for each in at_path}
        shared = [
            parameters.of_path(name, at_path[0].kind[2])
            for name in ("name", "namespace", "path")
            if f"{{{name}}}" in path
        ]
        if all(each.pretty for each in at_path):
            shared.append(parameters.query("pretty"))
        # What all methods of a path understand is written once, as upstream does for connections and watches.
        entry["parameters"] = shared
        written[path] = entry


def _operation(each: Operation, media: tuple[str, ...]) -> dict[str, Any]:
    group, version, kind = each.kind
    tag = ops.camel(*ops.group_version(each.path))
    out: dict[str, Any] = {
        "tags": [tag[:1].lower() + tag[1:]],
        "description": each.description,
        "operationId": each.id,
        "parameters": [parameters.query(name) for name in each.parameters],
        "responses": _responses(each, media),
        "x-kubernetes-action": each.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }
    if each.method == "patch" and each.body:
        allowed = ops.PATCH_TYPES if media is MEDIA else tuple(t for t in ops.PATCH_TYPES if "strategic" not in t)
        out["requestBody"] = {"content": {t: {"schema": _reference(each.body)} for t in allowed}, "required": True}
    elif each.body:
        content = {t: {"schema": _reference(each.body)} for t in (("*/*",) if media is MEDIA else media)}
        out["requestBody"] = {"content": content}
        if each.method != "delete":
            out["requestBody"]["required"] = True
    return out


_WORDS = {200: "OK", 201: "Created", 202: "Accepted"}


def _responses(each: Operation, media: tuple[str, ...]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for code, name in each.answers:
        if not name:
            content = {"*/*" if each.action == "connect" else "text/plain": {"schema": {"type": "string"}}}
        else:
            types = [*media, *(f"{t};stream=watch" for t in media[:-1])] if each.streams else media
            content = {t: {"schema": _reference(name)} for t in types}
        out[str(code)] = {"description": _WORDS[code], "content": content}
    out["401"] = {"description": "Unauthorized"}
    return out


def _reference(name: str) -> dict[str, str]:
    return {"$ref": "#/components/schemas/" + name}
