"""What one run measured, and the forms in which it is handed out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson
from rich.table import Table

# Shown while a run goes on.
Tell = Callable[[str], None]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    pods_per_second  of the whole run; 0 where the load is not pods
    p50_ms, p99_ms   of one pod, or of one request
    figures          everything else, by name; names end with their unit
    samples          (seconds since the beginning, latency in ms) of each pod or request, for pictures
    """

    workload: str
    nodes: int = 0
    pods: int = 0
    pods_per_second: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    figures: dict[str, float] = {}
    samples: tuple[tuple[float, float], ...] = ()

    def plain(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "workload": self.workload,
            "nodes": self.nodes,
            "pods": self.pods,
            "pods_per_second": round(self.pods_per_second, 1),
            "p50_ms": round(self.p50_ms, 3),
            "p99_ms": round(self.p99_ms, 3),
        }
        return fields | {name: round(value, 4) for name, value in self.figures.items()}


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of the sorted values lie; 0 of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def write_json(path: Path, results: Sequence[Result]) -> None:
    found = {"results": [each.plain() for each in results]}
    path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")


def table(results: Sequence[Result]) -> Table:
    """One block of rows for each result: what was measured, its value, its unit."""
    drawn = Table("workload", "what", "measured", "unit", title_justify="left")
    for each in results:
        for n, (name, value) in enumerate(_rows(each)):
            what, unit = _worded(name)
            drawn.add_row(each.workload if n == 0 else "", what, f"{value:,.{_digits(value)}f}", unit)
        drawn.add_section()
    return drawn


def _rows(result: Result) -> list[tuple[str, float]]:
    fields = [(name, value) for name, value in result.plain().items() if name != "workload"]
    return [(name, value) for name, value in fields if value or name in result.figures]


UNITS = {"ms": "ms", "s": "s", "mb": "MB", "us": "us", "per_second": "/s", "percent": "%"}


def _worded(name: str) -> tuple[str, str]:
    """(words, unit) of a figure's name."""
    for suffix, unit in UNITS.items():
        if name.endswith(f"_{suffix}"):
            return name.removesuffix(f"_{suffix}").replace("_", " "), unit
    return name.replace("_", " "), ""


def _digits(value: float) -> int:
    return 0 if value == int(value) else 1 if value >= 100 else 3
