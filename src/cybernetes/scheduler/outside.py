"""Plugins that installed packages offer: Python classes behind the entry point group `cybernetes.scheduler`.

An entry point's name is the plugin's name in profiles; it loads a factory `make(args: dict) -> RowFilter | RowScore`
with an attribute `kind`, "filter" or "score". They run after the kernels, on the nodes that are left.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import msgspec

from cybernetes.scheduler.profile import RowFilter, RowScore

GROUP = "cybernetes.scheduler"

FilterFactory = Callable[[dict[str, Any]], RowFilter]
ScoreFactory = Callable[[dict[str, Any]], RowScore]


class Outside(msgspec.Struct, frozen=True):
    """Factories by plugin name."""

    filters: dict[str, FilterFactory] = {}
    scores: dict[str, ScoreFactory] = {}


def installed() -> Outside:
    """What the packages of this environment offer."""
    found = {each.name: each.load() for each in entry_points(group=GROUP)}
    return Outside(
        {name: make for name, make in found.items() if make.kind == "filter"},
        {name: make for name, make in found.items() if make.kind == "score"},
    )
