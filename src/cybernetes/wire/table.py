"""Table answers: column definitions and rows, and the small formats that their cells share. Pure.

source  Kubernetes API Concepts, "Receiving resources as Tables"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cybernetes.base.clock import parse_rfc3339


def definition(name: str, type_: str, format_: str, description: str, priority: int) -> dict[str, Any]:
    return {"name": name, "type": type_, "format": format_, "description": description, "priority": priority}


def human_duration(seconds: float) -> str:
    """`45s`, `5m30s`, `3h12m`, `2d4h`, `41d`, `2y10d`: the two largest units that still say something."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 120:
        return f"{total}s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if minutes < 10:
        return _pair(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 2920:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def age(timestamp: str | None, now: float) -> str:
    """The time since an RFC 3339 timestamp; `<unknown>` without one."""
    if not timestamp:
        return "<unknown>"
    try:
        return human_duration(now - parse_rfc3339(timestamp))
    except ValueError:
        return "<unknown>"


def format_labels(labels: Mapping[str, str] | None) -> str:
    """`a=b,c=d` in key order; `<none>` when there are none."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) if labels else "<none>"
