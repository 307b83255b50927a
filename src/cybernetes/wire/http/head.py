"""Heads of requests and answers: bytes to values and back. Pure."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from urllib.parse import parse_qs, unquote, urlsplit

# Names of headers that are remembered in lower case: those of the few kinds of clients that a cluster has.
NAMES_MAX = 512
_BREAKS = frozenset("\r\n\0")
# Answers that have no body, whatever they say.
BODILESS = frozenset((101, 204, 304))

Headers = list[tuple[str, str]]


@lru_cache(maxsize=NAMES_MAX)
def header_name(raw: bytes) -> str:
    return raw.decode("latin-1").lower()


def header_value(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def target(raw: bytes) -> tuple[str, dict[str, list[str]]]:
    """Decoded path and query of a request line, also of one in absolute form, as clients of proxies send it."""
    text = raw.decode("utf-8", "surrogateescape")
    path, _, query = text.partition("?")
    if not path.startswith("/"):
        whole = urlsplit(text)
        path, query = whole.path or "/", whole.query
    return unquote(path) if "%" in path else path, parse_qs(query, keep_blank_values=True) if query else {}


def check(headers: Headers) -> None:
    """Raises ValueError when a header would break out of its line."""
    whole = "".join([name + value for name, value in headers])
    if "\n" not in whole and "\r" not in whole and "\0" not in whole:
        return
    for name, value in headers:
        if not _BREAKS.isdisjoint(value) or not _BREAKS.isdisjoint(name):
            raise ValueError(f"a header of the answer has a line break: {name!r}: {value!r}")


def render(status: int, headers: Headers, *framing: str) -> bytes:
    """The head of an answer. framing: further lines that the connection itself adds, without their ends."""
    lines = [_status_line(status), *[f"{name}: {value}" for name, value in headers], *framing, "\r\n"]
    return "\r\n".join(lines).encode("utf-8", "replace")


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    known = {each.value: each.phrase for each in HTTPStatus}
    return f"HTTP/1.1 {status} {known.get(status, '')}"
