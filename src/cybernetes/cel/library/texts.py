"""Patterns, URLs, base64 and JSON pointers.

source  Kubernetes documentation "Common Expression Language in Kubernetes": regex, URL, JSON patch libraries;
cel-go ext "Encoders"
"""

from __future__ import annotations

import base64
import re
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from cybernetes.cel import regex
from cybernetes.cel.errors import EvaluationError
from cybernetes.cel.functions import Overload, function, method, predicate
from cybernetes.cel.types import BOOL, BYTES, INT, STRING, list_of, map_of, opaque

URL = opaque("kubernetes.URL")
_TEXTS = list_of(STRING)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORT = re.compile(r":[0-9]*\Z")


class Url:
    """A parsed URL; two are equal when their texts are."""

    __slots__ = ("parts", "text")
    cel_type = URL

    def __init__(self, text: str, parts: SplitResult) -> None:
        self.text = text
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def overloads() -> list[Overload]:
    two, one = [STRING, STRING], [URL]
    return [
        method("find", "string_find_string", two, STRING, regex.find),
        method("findAll", "string_find_all_string", two, _TEXTS, regex.find_all),
        method("findAll", "string_find_all_string_int", [*two, INT], _TEXTS, regex.find_all),
        function("url", "string_to_url", [STRING], URL, url),
        function("isURL", "is_url_string", [STRING], BOOL, predicate(url)),
        method("getScheme", "url_get_scheme", one, STRING, lambda value: value.parts.scheme),
        method("getHost", "url_get_host", one, STRING, lambda value: value.parts.netloc.rpartition("@")[2]),
        method("getHostname", "url_get_hostname", one, STRING, _hostname),
        method("getPort", "url_get_port", one, STRING, _port),
        method("getEscapedPath", "url_get_escaped_path", one, STRING, _escaped_path),
        method("getQuery", "url_get_query", one, map_of(STRING, _TEXTS), _query),
        function("jsonpatch.escapeKey", "string_jsonpatch_escapeKey_string", [STRING], STRING, _escape_key),
        function(
            "base64.encode", "base64_encode_bytes", [BYTES], STRING, lambda value: base64.b64encode(value).decode()
        ),
        function("base64.decode", "base64_decode_string", [STRING], BYTES, _decode),
    ]


def url(text: str) -> Url:
    """Of an absolute URL or an absolute path. Raises EvaluationError."""
    why = "invalid URI for request"
    try:
        parts = urlsplit(text)
    except ValueError:
        parts, why = None, "invalid URI for request"
    # Fragments are no part of requests' URLs: they belong to what stands before.
    if parts is None or not text or not (parts.scheme or text.startswith("/")) or _is_broken(text, parts):
        raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": {why}')
    return Url(text, parts)


def _is_broken(text: str, parts: SplitResult) -> bool:
    if any(ord(each) < 0x20 or ord(each) == 0x7F for each in text) or _BAD_ESCAPE.search(parts.netloc + parts.path):
        return True
    host = parts.netloc.rpartition("@")[2]
    colon = host.rpartition("]")[2]
    return " " in host or (":" in colon and _PORT.match(colon[colon.rindex(":") :]) is None)


def _hostname(value: Url) -> str:
    host = _PORT.sub("", value.parts.netloc.rpartition("@")[2])
    return host.removeprefix("[").removesuffix("]")


def _port(value: Url) -> str:
    found = _PORT.search(value.parts.netloc.rpartition("@")[2])
    return found.group()[1:] if found is not None else ""


def _escaped_path(value: Url) -> str:
    return quote(value.parts.path, safe="/%:@!$&'()*+,;=~-._")


def _query(value: Url) -> dict[str, list[str]]:
    return parse_qs(value.parts.query, keep_blank_values=True)


def _escape_key(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    try:
        # Padding may be left out.
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as wrong:
        raise EvaluationError(f"illegal base64 data at input byte {len(text)}") from wrong
