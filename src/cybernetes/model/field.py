"""Field paths and field errors, with the words that Kubernetes uses.

source  k8s.io/apimachinery, pkg/util/validation/field
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import orjson

from cybernetes.base.errors import ApiError, Cause


class Path:
    """`Path("spec").child("containers").index(0).key("a")` prints `spec.containers[0][a]`."""

    __slots__ = ("text",)

    def __init__(self, text: str = "") -> None:
        self.text = text

    def child(self, *names: str) -> Path:
        tail = names[0] if len(names) == 1 else ".".join(names)
        return Path(f"{self.text}.{tail}" if self.text else tail)

    def index(self, i: int) -> Path:
        return Path(f"{self.text}[{i}]")

    def key(self, name: str) -> Path:
        return Path(f"{self.text}[{name}]")

    def __str__(self) -> str:
        return self.text or "<nil>"


class FieldError(msgspec.Struct, frozen=True, gc=False):
    """reason is a metav1.CauseType; `body` what stands behind the field in the message."""

    reason: str
    field: str
    body: str


def quoted(text: str) -> str:
    """Go's %q of a string."""
    return orjson.dumps(text).decode() if text.isprintable() else _go_quote(text)


def _go_quote(text: str) -> str:
    out = []
    named = {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        '"': '\\"',
        "\\": "\\\\",
    }
    for c in text:
        if c in named:
            out.append(named[c])
        elif c.isprintable():
            out.append(c)
        elif ord(c) < 0x80:
            out.append(f"\\x{ord(c):02x}")
        elif ord(c) < 0x10000:
            out.append(f"\\u{ord(c):04x}")
        else:
            out.append(f"\\U{ord(c):08x}")
    return '"' + "".join(out) + '"'


def shown(value: Any) -> str:
    """A value as field errors print it: strings quoted, everything else as JSON."""
    if isinstance(value, str):
        return quoted(value)
    text = orjson.dumps(value).decode()
    for char in "<>&":
        # Go writes JSON so that it may stand in HTML.
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def required(path: Path, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", str(path), f"Required value: {detail}" if detail else "Required value")


def invalid(path: Path, value: Any, detail: str) -> FieldError:
    text = f"Invalid value: {shown(value)}"
    return FieldError("FieldValueInvalid", str(path), f"{text}: {detail}" if detail else text)


def invalid_unshown(path: Path, detail: str) -> FieldError:
    """An error whose value the reference does not print."""
    return FieldError("FieldValueInvalid", str(path), f"Invalid value: {detail}")


def type_invalid(path: Path, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueTypeInvalid", str(path), f"Invalid value: {shown(value)}: {detail}")


def not_supported(path: Path, value: Any, supported: Sequence[str]) -> FieldError:
    listed = ", ".join(quoted(each) for each in supported)
    return FieldError(
        "FieldValueNotSupported", str(path), f"Unsupported value: {shown(value)}: supported values: {listed}"
    )


def forbidden(path: Path, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", str(path), f"Forbidden: {detail}")


def duplicate(path: Path, value: Any, detail: str = "") -> FieldError:
    text = f"Duplicate value: {shown(value)}"
    return FieldError("FieldValueDuplicate", str(path), f"{text}: {detail}" if detail else text)


def not_found(path: Path, value: Any) -> FieldError:
    return FieldError("FieldValueNotFound", str(path), f"Not found: {shown(value)}")


def too_long(path: Path, limit: int) -> FieldError:
    unit = "byte" if limit == 1 else "bytes"
    return FieldError("FieldValueTooLong", str(path), f"Too long: may not be more than {limit} {unit}")


def too_many(path: Path, actual: int, limit: int) -> FieldError:
    unit = "item" if limit == 1 else "items"
    return FieldError("FieldValueTooMany", str(path), f"Too many: {actual}: must have at most {limit} {unit}")


def internal(path: Path, error: str) -> FieldError:
    return FieldError("InternalError", str(path), f"Internal error: {error}")


def invalid_object(group: str, kind: str, name: str, errors: Iterable[FieldError]) -> ApiError:
    """The 422 answer that reports all `errors` at once, in order, repeats left out of the message."""
    errors = list(errors)
    subject = f"{kind}.{group}" if group else kind
    texts = list(dict.fromkeys(f"{e.field}: {e.body}" for e in errors))
    listed = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details["causes"] = [Cause.of(e.reason, e.body, e.field) for e in errors]
    return ApiError(422, "Invalid", f'{subject} "{name}" is invalid: {listed}', details)
