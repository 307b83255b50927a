"""Formats that texts are validated by: format.dns1123Label().validate(text).

source  Kubernetes documentation "Common Expression Language in Kubernetes", format library
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cybernetes.cel.functions import Overload, function, method
from cybernetes.cel.types import STRING, list_of, opaque, optional_of
from cybernetes.cel.values import NONE, Optional
from cybernetes.model.schema.custom.formats import FORMATS
from cybernetes.model.validation import names

FORMAT = opaque("kubernetes.NamedFormat")
_Check = Callable[[str], Sequence[str]]


class Format:
    """pattern_size: characters of the pattern that the format is known by, which checks are charged for."""

    __slots__ = ("check", "name", "pattern_size")
    cel_type = FORMAT

    def __init__(self, name: str, check: _Check, pattern_size: int) -> None:
        self.name = name
        self.check = check
        self.pattern_size = pattern_size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def overloads() -> list[Overload]:
    return [
        *(function(f"format.{name}", f"format-{name}", [], FORMAT, _constant(each)) for name, each in _FORMATS.items()),
        function("format.named", "format-named", [STRING], optional_of(FORMAT), _named),
        method("validate", "format-validate", [FORMAT, STRING], optional_of(list_of(STRING)), _validate),
    ]


def _constant(found: Format) -> Callable[[], Format]:
    return lambda: found


def _named(name: str) -> Optional:
    found = _FORMATS.get(name)
    return NONE if found is None else Optional(found)


def _validate(found: Format, text: str) -> Optional:
    """What is wrong with the text; none when nothing is."""
    errors = list(found.check(text))
    return Optional(errors) if errors else NONE


def _prefix(check: _Check) -> _Check:
    """Of the start of a name, to which something is appended."""
    return lambda text: check(names.masked_generate_name(text))


def _of_schema(name: str, wrong: str) -> _Check:
    holds = FORMATS[name]
    return lambda text: [] if holds(text) else [wrong]


_CHECKS: dict[str, _Check] = {
    "dns1123Label": names.dns_label,
    "dns1123Subdomain": names.dns_subdomain,
    "dns1035Label": names.dns_1035_label,
    "qualifiedName": names.qualified_name,
    "dns1123LabelPrefix": _prefix(names.dns_label),
    "dns1123SubdomainPrefix": _prefix(names.dns_subdomain),
    "dns1035LabelPrefix": _prefix(names.dns_1035_label),
    "labelValue": names.label_value,
    "uri": _of_schema("uri", "invalid URI"),
    "uuid": _of_schema("uuid", "does not match the UUID format"),
    "byte": _of_schema("byte", "invalid base64"),
    "date": _of_schema("date", "invalid date"),
    "datetime": _of_schema("date-time", "invalid datetime"),
}
_PATTERN_SIZES = {"dns1123Subdomain": 60, "dns1123SubdomainPrefix": 60, "qualifiedName": 60, "labelValue": 40}
_FORMATS = {name: Format(name, check, _PATTERN_SIZES.get(name, 30)) for name, check in _CHECKS.items()}
