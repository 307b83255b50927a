"""Fields that lists may be selected by: label -> how an object shows it, as text. Pure.

source  Kubernetes documentation "Field Selectors", list of supported fields
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Object = dict[str, Any]


def paths(*labels: str) -> dict[str, Callable[[Object], str]]:
    """Labels that are the paths of their values, `spec.signerName`; absent values are "" and numbers are text."""
    return {label: _reader(tuple(label.split("."))) for label in labels}


def numbers(*labels: str) -> dict[str, Callable[[Object], str]]:
    """The same for numbers: an absent one is 0."""
    return {label: _reader(tuple(label.split(".")), "0") for label in labels}


def _reader(path: tuple[str, ...], absent: str = "") -> Callable[[Object], str]:
    def read(obj: Object) -> str:
        node: Any = obj
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        if node is None:
            return absent
        return str(node).lower() if isinstance(node, bool) else str(node)

    return read


def reference(prefix: str) -> dict[str, Callable[[Object], str]]:
    """The parts of an ObjectReference at `prefix`, as Events are selected by."""
    parts = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    return paths(*(f"{prefix}.{part}" for part in parts))


def event_source(obj: Object) -> str:
    """Who reported an event: its source, or its reporting component."""
    source = (obj.get("source") or obj.get("deprecatedSource") or {}).get("component")
    return str(source or obj.get("reportingComponent") or obj.get("reportingController") or "")
