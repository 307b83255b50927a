"""audit.k8s.io/v1 Events as dicts, and their one line. Pure.

source  Kubernetes reference, audit.k8s.io/v1 Event
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from cybernetes.apiserver.request import RequestInfo
from cybernetes.auth.user import User
from cybernetes.model.schema.compile import kind_node
from cybernetes.wire import json as json_codec
from cybernetes.wire import negotiate, protobuf
from cybernetes.wire import yaml as yaml_codec
from cybernetes.wire.http.message import Request

Object = dict[str, Any]

# A user agent is the client's text; what is longer says nothing more.
USER_AGENT_MAX = 1024
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json")
_JSON = frozenset((negotiate.JSON, *_PATCHES))
_YAML = frozenset((negotiate.YAML, "application/apply-patch+yaml"))


def start(request: Request, info: RequestInfo, user: User | None, level: str, audit_id: str) -> Object:
    """What is known of a request when it comes; stage and times are put in later."""
    event: Object = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "auditID": audit_id,
        "stage": "",
        "requestURI": request_uri(request),
        "verb": info.verb,
        "user": user.info() if user is not None else {},
    }
    addresses = source_addresses(request)
    if addresses:
        event["sourceIPs"] = addresses
    agent = request.headers.get("user-agent", "")
    if agent:
        event["userAgent"] = agent[:USER_AGENT_MAX]
    if info.is_resource:
        event["objectRef"] = object_reference(info)
    return event


def request_uri(request: Request) -> str:
    path = quote(request.path, safe="/:@!$&'()*+,;=~-._", errors="backslashreplace")
    return f"{path}?{urlencode(request.query, doseq=True, errors='backslashreplace')}" if request.query else path


def object_reference(info: RequestInfo) -> Object:
    pairs = (
        ("resource", info.resource),
        ("namespace", info.namespace),
        ("name", info.name),
        ("apiGroup", info.group),
        ("apiVersion", info.version),
        ("subresource", info.subresource),
    )
    return {key: value for key, value in pairs if value}


def source_addresses(request: Request) -> list[str]:
    """Those that proxies tell of, then the peer's: only the last is sure."""
    named = [each.strip() for each in request.headers.get("x-forwarded-for", "").split(",")]
    real = request.headers.get("x-real-ip", "").strip()
    found = [each for each in named if _is_address(each)]
    if _is_address(real) and real not in found:
        found.append(real)
    peer = request.remote.rpartition(":")[0].strip("[]")
    if peer and found[-1:] != [peer]:
        found.append(peer)
    return found


def _is_address(text: str) -> bool:
    if not text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def request_object(request: Request) -> Any:
    """The body as JSON values; None where there is none, or none that can be read."""
    return values(request.headers.get("content-type", negotiate.JSON), request.body) if request.body else None


def response_object(headers: list[tuple[str, str]], body: bytes) -> Any:
    return values(next((value for name, value in headers if name == "Content-Type"), ""), body)


def values(content_type: str, data: bytes) -> Any:
    media = negotiate.media_type(content_type)
    try:
        if media in _JSON:
            return json_codec.decode(data)
        if media in _YAML:
            return yaml_codec.decode(data)[0]
        return _of_protobuf(data) if media == negotiate.PROTOBUF else None
    except (json_codec.SyntaxProblem, protobuf.ProtobufProblem, UnicodeDecodeError):
        return None


def _of_protobuf(data: bytes) -> Object | None:
    envelope = protobuf.open_envelope(data)
    node = kind_node(envelope.api_version, envelope.kind)
    if node is None:
        return None
    return {"kind": envelope.kind, "apiVersion": envelope.api_version, **protobuf.decode(node, envelope.raw)}


def complete_reference(event: Object, sent: Any) -> None:
    """What the object that was sent tells of itself, where the path doesn't."""
    reference = event.get("objectRef")
    metadata = sent.get("metadata") if isinstance(sent, dict) else None
    if reference is None or not isinstance(metadata, dict):
        return
    for key in ("namespace", "name", "uid", "resourceVersion"):
        value = metadata.get(key)
        if isinstance(value, str) and value and key not in reference:
            reference[key] = value


def status_of(code: int, status: Object | None) -> Object:
    """responseStatus: of a Status what is bounded, else the code."""
    if status is None:
        return {"metadata": {}, "code": code}
    kept = {key: status[key] for key in ("status", "message", "reason", "details") if status.get(key)}
    return {"metadata": {}, **kept, "code": code}


def without_managed_fields(obj: Any) -> Any:
    """The object, and the items of a list, less metadata.managedFields; in place."""
    if not isinstance(obj, dict):
        return obj
    for each in (obj, *(obj.get("items") or ())):
        metadata = each.get("metadata") if isinstance(each, dict) else None
        if isinstance(metadata, dict):
            metadata.pop("managedFields", None)
    return obj


def line(event: Mapping[str, Any]) -> bytes:
    """One line of JSON. Text that is no Unicode is escaped: a client must not be able to keep an event from the log."""
    try:
        return orjson.dumps(event) + b"\n"
    except TypeError:
        return json.dumps(event, default=str).encode() + b"\n"
