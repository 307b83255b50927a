"""Levels and versions of the Pod Security Standards, as a namespace's labels name them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from cybernetes.model import field
from cybernetes.model.field import FieldError, Path

PREFIX = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")
MODES = ("enforce", "audit", "warn")
# Above every minor version.
LATEST = 1 << 30
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)\Z")


class Level(msgspec.Struct, frozen=True):
    """version  the minor version of Kubernetes 1 whose standard holds"""

    name: str = "privileged"
    version: int = LATEST

    def __str__(self) -> str:
        return f"{self.name}:{'latest' if self.version == LATEST else f'v1.{self.version}'}"

    @property
    def is_open(self) -> bool:
        return self.name == "privileged"


class Policy(msgspec.Struct, frozen=True):
    enforce: Level = Level()
    audit: Level = Level()
    warn: Level = Level()

    @property
    def is_open(self) -> bool:
        return self.enforce.is_open and self.audit.is_open and self.warn.is_open


OPEN = Policy()


def policy_of(labels: Mapping[str, str]) -> tuple[Policy, list[FieldError]]:
    """The policy that labels name, and what is wrong with them; a level that is none is taken as the strictest."""
    if not any(key.startswith(PREFIX) for key in labels):
        return OPEN, []
    errors: list[FieldError] = []
    return Policy(*(_level(mode, labels, errors) for mode in MODES)), errors


def _level(mode: str, labels: Mapping[str, str], errors: list[FieldError]) -> Level:
    path = Path("metadata.labels")
    key = PREFIX + mode
    name = labels.get(key, "privileged")
    if name not in LEVELS:
        errors.append(field.invalid(path.key(key), name, f"must be one of {', '.join(LEVELS)}"))
        name = "restricted" if mode == "enforce" else "privileged"
    version = labels.get(f"{key}-version", "latest")
    found = _VERSION.match(version)
    if version != "latest" and not found:
        errors.append(field.invalid(path.key(f"{key}-version"), version, 'must be "latest" or "v1.x"'))
    return Level(name, int(found[1]) if found else LATEST)
