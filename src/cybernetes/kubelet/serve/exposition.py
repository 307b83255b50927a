"""Metrics as Prometheus' text format."""

from __future__ import annotations

from collections.abc import Mapping

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Exposition:
    """stability: of all metrics in it, as upstream writes it into their help; "" for none."""

    def __init__(self, stability: str = "STABLE") -> None:
        self._stability = f"[{stability}] " if stability else ""
        self._lines: list[str] = []

    def head(self, name: str, kind: str, help_text: str) -> None:
        self._lines += [f"# HELP {name} {self._stability}{help_text}", f"# TYPE {name} {kind}"]

    def row(self, name: str, labels: Mapping[str, str], value: float, at_ms: int | None = None) -> None:
        shown = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in sorted(labels.items()))
        tail = f" {at_ms}" if at_ms is not None else ""
        self._lines.append(f"{name}{{{shown}}} {value}{tail}" if shown else f"{name} {value}{tail}")

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"
