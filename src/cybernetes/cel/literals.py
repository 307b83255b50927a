"""Texts of literals to values.

source  cel-spec langdef.md "Syntax", "String and Bytes Values"
"""

from __future__ import annotations

import re
from typing import Any

from cybernetes.cel.values import INT_MAX, INT_MIN, UINT_MAX, UInt

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\"'\\?`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))"
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CODE_POINT_MAX = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def literal(kind: str, text: str) -> Any:
    """The value of a token of this kind. Raises ValueError with the reference's words."""
    match kind:
        case "STRING":
            return _string(text)
        case "BYTES":
            return _bytes(text[1:])
        case "NUM_INT":
            return _integer(text, INT_MIN, INT_MAX, "invalid int literal")
        case "NUM_UINT":
            return UInt(_integer(text[:-1], 0, UINT_MAX, "invalid uint literal"))
        case "NUM_FLOAT":
            return float(text)
    return {"true": True, "false": False, "null": None}[kind]


def _integer(text: str, low: int, high: int, wrong: str) -> int:
    value = int(text, 16) if "0x" in text else int(text)
    if not low <= value <= high:
        raise ValueError(wrong)
    return value


def _string(text: str) -> str:
    raw, body = _body(text)
    return body if raw else _ESCAPE.sub(_character, body)


def _bytes(text: str) -> bytes:
    raw, body = _body(text)
    if raw:
        return body.encode()
    out = bytearray()
    at = 0
    for found in _ESCAPE.finditer(body):
        out += body[at : found.start()].encode()
        at = found.end()
        simple, hexadecimal, short, long, octal = found.groups()
        if hexadecimal or octal:
            # In bytes these stand for bytes, not for code points.
            out.append(int(hexadecimal, 16) if hexadecimal else int(octal, 8))
        elif short or long:
            raise ValueError("invalid bytes literal")
        else:
            out += _SIMPLE.get(simple, simple).encode()
    return bytes(out + body[at:].encode())


def _body(text: str) -> tuple[bool, str]:
    """(is raw, what stands between the quotes)."""
    raw = text[0] in "rR"
    text = text[1:] if raw else text
    quotes = 3 if text[:3] in ('"""', "'''") and len(text) >= 6 else 1
    body = text[quotes:-quotes]
    return raw, body.replace("\r\n", "\n").replace("\r", "\n")


def _character(found: re.Match[str]) -> str:
    simple, hexadecimal, short, long, octal = found.groups()
    if simple:
        return _SIMPLE.get(simple, simple)
    code = int(octal, 8) if octal else int(hexadecimal or short or long, 16)
    if code > _CODE_POINT_MAX or code in _SURROGATES:
        raise ValueError("invalid string literal")
    return chr(code)
