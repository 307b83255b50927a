"""Every road by which a write reaches an object: verb, content type, patch type, subresource, dry run.

`roads(target)` generates them. What guards writes must stand on each: tests send all of them against each guard.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from cybernetes.apiserver.render_protobuf import encode

Object = dict[str, Any]

JSON, YAML = "application/json", "application/yaml"
PROTOBUF, CBOR = "application/vnd.kubernetes.protobuf", "application/cbor"
JSON_PATCH, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
PATCHES = (JSON_PATCH, MERGE, STRATEGIC, APPLY)


class Target(msgspec.Struct, kw_only=True):
    """An object that exists, `spare` one of the same shape that does not; change: a merge patch that alters it.

    subresources  name -> body that changes the object there (for create-only ones: the body to post)
    creating      names of those to which one posts
    put_creates   whether a PUT makes an object of the kind
    """

    path: str
    resource: str
    live: Object
    spare: Object
    change: Object
    group: str = ""
    custom: bool = False
    subresources: dict[str, Object] = {}
    creating: tuple[str, ...] = ()
    put_creates: bool = False

    @property
    def name(self) -> str:
        return str(self.live["metadata"]["name"])


class Road(msgspec.Struct, frozen=True, kw_only=True):
    """operation: as admission calls it. refused: the code with which the content type itself is refused, or 0."""

    label: str
    method: str
    path: str
    body: bytes = b""
    content: str = JSON
    query: dict[str, str] = {}
    verb: str
    operation: str
    resource: str
    subresource: str = ""
    refused: int = 0

    async def take(self, server: Any, **more: Any) -> Any:
        return await server.ask(
            self.method, self.path, self.body or None, content=self.content, query=self.query, **more
        )


def roads(target: Target) -> Iterator[Road]:
    """All of them, each also as a dry run."""
    for each in _roads(target):
        yield each
        dry = msgspec.structs.replace(each, label=f"{each.label} dry", query={**each.query, "dryRun": "All"})
        if each.operation == "DELETE":
            body = {"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]}
            dry = msgspec.structs.replace(dry, body=json.dumps(body).encode())
        yield dry


def _roads(target: Target) -> Iterator[Road]:
    yield from creations(target)
    yield from _updates(target, "", target.live, target.change)
    for name, body in target.subresources.items():
        if name in target.creating:
            yield from _posts(target, f"/{target.name}/{name}", body, name)
        else:
            shape = body if body.get("kind") == "Scale" else merged(target.live, body)
            yield from _updates(target, name, shape, body)
    yield _road(target, "delete", "DELETE", f"/{target.name}", b"", JSON, "", verb="delete", operation="DELETE")
    yield _road(target, "delete all", "DELETE", "", b"", JSON, "", verb="deletecollection", operation="DELETE")


def creations(target: Target) -> Iterator[Road]:
    """Roads that make the spare object."""
    yield from _posts(target, "", target.spare, "")
    name = target.spare["metadata"]["name"]
    if target.put_creates:
        for content, data in _encoded(target.spare, custom=False):
            refused = _refused(content, custom=False)
            yield _road(
                target,
                "put new",
                "PUT",
                f"/{name}",
                data,
                content,
                "",
                verb="update",
                operation="CREATE",
                refused=refused,
            )
    query = {"fieldManager": "m", "force": "true"}
    body = json.dumps(target.spare).encode()
    yield _road(
        target, "apply new", "PATCH", f"/{name}", body, APPLY, "", verb="patch", operation="CREATE", query=query
    )


def _posts(target: Target, path: str, body: Object, sub: str) -> Iterator[Road]:
    for content, data in _encoded(body, custom=target.custom):
        refused = _refused(content, custom=target.custom)
        yield _road(
            target, "post", "POST", path, data, content, sub, verb="create", operation="CREATE", refused=refused
        )


def _updates(target: Target, sub: str, live: Object, change: Object) -> Iterator[Road]:
    path = f"/{target.name}/{sub}" if sub else f"/{target.name}"
    whole = merged(live, change)
    custom = target.custom and whole.get("kind") != "Scale"
    for content, data in _encoded(whole, custom=custom):
        refused = _refused(content, custom=custom)
        yield _road(target, "put", "PUT", path, data, content, sub, verb="update", operation="UPDATE", refused=refused)
    for content in PATCHES:
        if content == APPLY and whole.get("kind") == "Scale":
            continue
        yield _patch(target, path, sub, change, content)


def _patch(target: Target, path: str, sub: str, change: Object, content: str) -> Road:
    document: Any = {key: value for key, value in change.items() if key not in ("kind", "apiVersion", "metadata")}
    document = document or {"metadata": change["metadata"]}
    query = {}
    if content == JSON_PATCH:
        document = [{"op": "add", "path": f"/{key}", "value": value} for key, value in _leaves(document)]
    elif content == APPLY:
        live = target.live
        head = {"apiVersion": live["apiVersion"], "kind": live["kind"]}
        metadata = {"name": target.name, **(document.get("metadata") or {})}
        document, query = {**head, **document, "metadata": metadata}, {"fieldManager": "m", "force": "true"}
    refused = 415 if content == STRATEGIC and target.custom else 0
    data = json.dumps(document).encode()
    return _road(
        target,
        content,
        "PATCH",
        path,
        data,
        content,
        sub,
        verb="patch",
        operation="UPDATE",
        query=query,
        refused=refused,
    )


def _road(target: Target, label: str, method: str, path: str, body: bytes, content: str, sub: str, **rest: Any) -> Road:
    where = target.resource + (f"/{sub}" if sub else "")
    return Road(
        label=f"{where} {label} {content.rpartition('/')[2]}",
        method=method,
        path=target.path + path,
        body=body,
        content=content,
        resource=target.resource,
        subresource=sub,
        **rest,
    )


def _refused(content: str, *, custom: bool) -> int:
    return 415 if content == CBOR or (content == PROTOBUF and custom) else 0


def _encoded(obj: Object, *, custom: bool) -> Iterator[tuple[str, bytes]]:
    yield JSON, json.dumps(obj).encode()
    yield YAML, yaml.safe_dump(obj).encode()
    # What a custom resource would be in protobuf nobody knows; any message will do.
    shape = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}} if custom else obj
    yield PROTOBUF, encode(shape)
    yield CBOR, b"\xd9\xd9\xf7\xa0"


def _leaves(document: Object, path: str = "") -> Iterator[tuple[str, Any]]:
    """What a merge patch sets, as paths; it must not remove anything."""
    for key, value in document.items():
        here = f"{path}{key}".replace("~", "~0")
        if isinstance(value, dict) and path.count("/") < 1 and key not in ("data", "status"):
            yield from _leaves(value, f"{here}/")
        else:
            yield here, value


def merged(obj: Object, change: Object) -> Object:
    out = dict(obj)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else value
    return out
