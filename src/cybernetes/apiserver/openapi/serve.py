"""Answers for paths below /openapi: which document, in which form, and how long a client may keep it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from email.utils import formatdate

import orjson

from cybernetes.apiserver.discovery import Listing
from cybernetes.apiserver.openapi import gnostic, v2, v3
from cybernetes.wire.http.message import Request, Response

# Asked for in either spelling; answered in the one that Go's parser of media types takes.
V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_V2_PROTOBUF_ASKED = (V2_PROTOBUF, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
JSON = "application/json"
CACHE_CONTROL = ("Cache-Control", "no-cache, private")
# A document is named by its hash: what a hash stands for never changes.
FOREVER_S = 365 * 86400


class Schemas:
    """The documents of one listing. Made when first asked for; a new listing needs a new object.

    custom   definitions of custom resources, by name, as JSON of OpenAPI v3
    version  of the API: v1.37.0
    """

    def __init__(self, listing: Listing, custom: Mapping[str, bytes], version: str) -> None:
        self._listing = listing
        self._custom = custom
        self._version = version
        self._made: dict[str, bytes] = {}

    def answer(self, request: Request, now: float) -> Response | None:
        """None where there is no such document."""
        path = request.path.strip("/")
        if path == "openapi/v2":
            return self._answer_v2(request)
        if path == "openapi/v3":
            if "index" not in self._made:
                self._made["index"] = v3.index(self._listing, self._custom, self._version)
            return _cacheable(request, self._made["index"], JSON)
        if path.startswith("openapi/v3/"):
            return self._answer_v3(request, path.removeprefix("openapi/v3/"), now)
        return None

    def _answer_v2(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        wants_protobuf = any(each in accept for each in _V2_PROTOBUF_ASKED)
        if "v2" not in self._made:
            document = v2.document(self._listing, self._custom, self._version)
            self._made["v2"], self._made["v2.pb"] = orjson.dumps(document), gnostic.encode(document)
        if wants_protobuf:
            return _cacheable(request, self._made["v2.pb"], V2_PROTOBUF)
        return _cacheable(request, self._made["v2"], JSON)

    def _answer_v3(self, request: Request, name: str, now: float) -> Response | None:
        if name not in self._made:
            document = v3.document(self._listing, name, self._custom, self._version)
            if document is None:
                return None
            self._made[name] = document
        digest = v3.digest(self._listing, name, self._custom, self._version)
        asked = request.param("hash", "")
        if asked and asked != digest:
            location = f"/openapi/v3/{name}?hash={digest}"
            return Response(301, [CACHE_CONTROL, ("Location", location)], b"")
        response = _cacheable(request, self._made[name], JSON, tag=f'"{digest}"')
        if asked:
            response.headers.remove(CACHE_CONTROL)
            expires = formatdate(now + FOREVER_S, usegmt=True)
            response.headers += [("Cache-Control", "public, immutable"), ("Expires", expires)]
        return response


def _cacheable(request: Request, body: bytes, content_type: str, tag: str = "") -> Response:
    tag = tag or '"' + hashlib.sha512(body).hexdigest().upper() + '"'
    headers = [CACHE_CONTROL, ("ETag", tag), ("Vary", "Accept-Encoding"), ("Vary", "Accept")]
    if request.headers.get("if-none-match") == tag:
        return Response(304, headers)
    return Response(200, [*headers, ("Content-Type", content_type)], body)
