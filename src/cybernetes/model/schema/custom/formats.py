"""Formats of strings that schemas may demand; a format that is not listed here demands nothing."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from urllib.parse import urlsplit

from cybernetes.model.validation import names

_DATE_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)\Z",
)
_HOSTNAME = re.compile(
    r"(?=.{1,253}\Z)[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?(?:\.[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)*\.?\Z"
)
_EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+\Z")
# Possessive: a text of many digits must not be cut at each of them.
_DURATION = re.compile(r"[+-]?(?:0|(?:(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:ns|us|µs|μs|ms|s|m|h))+)\Z")
_WORDY_DURATION = re.compile(
    r"\d+ *(?:nanoseconds?|microseconds?|milliseconds?|seconds?|minutes?|hours?|days?|weeks?|ns|us|ms|s|m|h|d|w)\Z"
)
_UUID = r"(?i)\A[0-9A-F]{8}-?[0-9A-F]{4}-?%s[0-9A-F]{3}-?%s[0-9A-F]{3}-?[0-9A-F]{12}\Z"
_HEX_COLOR = re.compile(r"#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z")
_MAC = re.compile(r"(?:[0-9a-fA-F]{2}[:-]){5}(?:[0-9a-fA-F]{2})\Z|(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}\Z")


def _date_time(text: str) -> bool:
    found = _DATE_TIME.match(text)
    if found is None or not _date(text[:10]):
        return False
    return int(found[4]) < 24 and int(found[5]) < 60 and int(found[6]) < 60


def _date(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme) or text.startswith("/")


def _address(kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            kind(text)
        except ValueError:
            return False
        return True

    return check


def _cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _byte(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.match(text) is not None


def _named(rule: names.NameRule) -> Callable[[str], bool]:
    return lambda text: not rule(text)


_isbn10 = _matches(r"\A(?:\d-?){9}[\dX]\Z")
_isbn13 = _matches(r"\A(?:\d-?){13}\Z")

FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _date_time,
    "datetime": _date_time,
    "date": _date,
    "duration": lambda text: bool(_DURATION.match(text) or _WORDY_DURATION.match(text)),
    "uri": _uri,
    "email": lambda text: _EMAIL.match(text) is not None,
    "hostname": lambda text: _HOSTNAME.match(text) is not None,
    "ipv4": _address(ipaddress.IPv4Address),
    "ipv6": _address(ipaddress.IPv6Address),
    "cidr": _cidr,
    "mac": lambda text: _MAC.match(text) is not None,
    "uuid": _matches(_UUID % ("[0-9A-F]", "[0-9A-F]")),
    "uuid3": _matches(_UUID % ("3", "[0-9A-F]")),
    "uuid4": _matches(_UUID % ("4", "[89AB]")),
    "uuid5": _matches(_UUID % ("5", "[89AB]")),
    "hexcolor": lambda text: _HEX_COLOR.match(text) is not None,
    "byte": _byte,
    "bsonobjectid": _matches(r"\A[0-9a-fA-F]{24}\Z"),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "ssn": _matches(r"\A\d{3}[- ]?\d{2}[- ]?\d{4}\Z"),
    "creditcard": _matches(r"\A(?:\d[ -]?){13,19}\Z"),
    "k8s-short-name": _named(names.dns_label),
    "k8s-long-name": _named(names.dns_subdomain),
    "rgbcolor": _matches(r"\Argb\(\s*(?:\d{1,3}%?\s*,\s*){2}\d{1,3}%?\s*\)\Z"),
}
