"""How fields of the configuration are read, and refused."""

from __future__ import annotations

import re

import msgspec


class ConfigError(ValueError):
    """A configuration that can't be used; the message begins with the field's path."""


class Strict(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A section: Kubernetes' names, and no others."""


def require(holds: bool, path: str, words: str) -> None:
    """Raises ConfigError."""
    if not holds:
        raise ConfigError(f"{path}: {words}")


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?(?:(\d+)ms)?\Z")


def seconds(text: str, path: str) -> float:
    """Of a duration such as 1m30s. Raises ConfigError."""
    found = _DURATION.match(text)
    require(bool(text) and found is not None, path, f"{text!r} is not a duration such as 15s")
    assert found is not None
    hours, minutes, whole, milli = (float(each or 0) for each in found.groups())
    return hours * 3600 + minutes * 60 + whole + milli / 1000
