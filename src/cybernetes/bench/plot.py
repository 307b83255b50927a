"""A picture of one run over time: throughput above, latency below. SVG, or PNG where CairoSVG is installed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.bench.result import Result, percentile

WIDTH, PANEL, LEFT, TOP, GAP = 860, 220, 70, 40, 60
SLICES_MAX = 60
COLORS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f")


class _Line:
    """points: (seconds, value), by time."""

    def __init__(self, name: str, color: str, points: Sequence[tuple[float, float]], dashed: bool = False) -> None:
        self.name, self.color, self.points, self.dashed = name, color, points, dashed


def write(path: Path, results: Sequence[Result]) -> None:
    """Raises EdgeError when the ending is neither .svg nor .png, or for .png without CairoSVG."""
    drawn = svg(results)
    if path.suffix == ".svg":
        path.write_text(drawn)
    elif path.suffix == ".png":
        path.write_bytes(_png(drawn))
    else:
        raise EdgeError("draw", str(path), "the file must end with .svg or .png", outcome=Outcome.NOT_DONE)


def _png(drawn: str) -> bytes:
    try:
        import cairosvg
    except ImportError as missing:
        why = "PNG needs CairoSVG: pip install 'cybernetes[plot]'; .svg needs nothing"
        raise EdgeError("draw", "PNG", why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER) from missing
    png: bytes = cairosvg.svg2png(drawn.encode())
    return png


def svg(results: Sequence[Result]) -> str:
    rates, latencies = [], []
    for n, each in enumerate(result for result in results if result.samples):
        color = COLORS[n % len(COLORS)]
        slices = sliced(each.samples)
        rates.append(_Line(each.workload, color, [(at, rate) for at, rate, _ in slices]))
        latencies.append(_Line("p50", color, [(at, percentile(some, 0.5)) for at, _, some in slices if some]))
        latencies.append(_Line("p99", color, [(at, percentile(some, 0.99)) for at, _, some in slices if some], True))
    height = TOP + 2 * PANEL + 2 * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *_panel("per second", rates, TOP),
        *_panel("latency, ms (p99 dashed)", latencies, TOP + PANEL + GAP),
        *_legend(rates),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def sliced(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float, list[float]]]:
    """(middle in s, events a second, sorted latencies in ms) of slices of equal length; at most SLICES_MAX."""
    ordered = sorted(samples)
    end = ordered[-1][0] or 1e-3
    count = max(1, min(SLICES_MAX, math.ceil(len(ordered) / 20)))
    width = end / count
    found: list[list[float]] = [[] for _ in range(count)]
    for at, latency in ordered:
        found[min(count - 1, int(at / width))].append(latency)
    return [((n + 0.5) * width, len(some) / width, sorted(some)) for n, some in enumerate(found)]


def _panel(title: str, lines: Sequence[_Line], top: float) -> list[str]:
    most = _rounded_up(max((value for line in lines for _, value in line.points), default=1.0))
    last = max((at for line in lines for at, _ in line.points), default=1.0) or 1.0
    wide = WIDTH - LEFT - 20
    parts = [f'<text x="{LEFT}" y="{top - 8}" font-weight="bold">{escape(title)}</text>']
    for n in range(5):
        y = top + PANEL * (1 - n / 4)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + wide}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{most * n / 4:,g}</text>')
    for n in range(6):
        x = LEFT + wide * n / 5
        parts.append(f'<text x="{x:.1f}" y="{top + PANEL + 16}" text-anchor="middle">{last * n / 5:.3g} s</text>')
    for line in lines:
        points = " ".join(
            f"{LEFT + wide * at / last:.1f},{top + PANEL * (1 - value / most):.1f}" for at, value in line.points
        )
        dash = ' stroke-dasharray="4 3"' if line.dashed else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{line.color}" stroke-width="1.5"{dash}/>')
    return parts


def _legend(lines: Sequence[_Line]) -> list[str]:
    parts, x = [], float(LEFT)
    for line in lines:
        parts.append(f'<rect x="{x:.0f}" y="8" width="12" height="12" fill="{line.color}"/>')
        parts.append(f'<text x="{x + 16:.0f}" y="18">{escape(line.name)}</text>')
        x += 30 + 7 * len(line.name)
    return parts


def _rounded_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 8, 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value)
