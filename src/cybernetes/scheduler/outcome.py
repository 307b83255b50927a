"""What a decision ends with: a node, or the reasons of all nodes in Kubernetes' words."""

from __future__ import annotations

from array import array

import msgspec

from cybernetes.native import load
from cybernetes.scheduler.plugins.resources import Fit
from cybernetes.scheduler.reasons import (
    FIT,
    FIT_NEVER,
    OTHER,
    OTHER_NEVER,
    PLUGINS,
    TEXTS,
    available_text,
    resource_text,
)

kernels = load("score")


class Filtered(msgspec.Struct):
    """What the filters found.

    code      shape (rows,): reasons.POSSIBLE, or why not
    fit       of the pod; bits: of missing resources where the code says FIT, shape (rows,)
    words     reasons that have no code, by row
    message   PreFilter's words when it ended the cycle, else ""
    plugins   of row filters that rejected
    """

    code: array[int]
    fit: Fit
    bits: array[int]
    words: dict[int, str]
    message: str = ""
    plugins: set[str] = set()

    def texts(self, row: int) -> list[str]:
        """What is insufficient on one row, in words."""
        return [resource_text(name) for bit, name in enumerate(self.fit.names) if self.bits[row] >> bit & 1]

    def possible(self) -> int:
        return 0 if self.message else self.code.tobytes().count(0)


class Placement(msgspec.Struct, frozen=True, gc=False):
    """possible: how many nodes were; score: the node's total, 0 when it was the only one."""

    node: str
    score: int
    possible: int


class Unschedulable(msgspec.Struct, frozen=True):
    """message   without what preemption says; plugins   that rejected, whose events can change it"""

    message: str
    plugins: frozenset[str]
    filtered: Filtered | None = None


def unschedulable(filtered: Filtered, nodes: int) -> Unschedulable:
    """nodes: how many there are, which the message counts."""
    if filtered.message:
        text = f"0/{nodes} nodes are available: {filtered.message}."
        return Unschedulable(text, frozenset(filtered.plugins), filtered)
    counts, plugins = _count_reasons(filtered)
    return Unschedulable(available_text(nodes, counts), plugins, filtered)


def _count_reasons(filtered: Filtered) -> tuple[dict[str, int], frozenset[str]]:
    """How many nodes have each reason, and which plugins gave them."""
    by_code = array("i", bytes(4 * 256))
    kernels.histogram(filtered.code, by_code)
    counts = {TEXTS[code]: by_code[code] for code in TEXTS if by_code[code]}
    if by_code[FIT] or by_code[FIT_NEVER]:
        by_bit = array("i", bytes(4 * 32))
        kernels.bit_histogram(filtered.bits, filtered.code, FIT, FIT_NEVER, by_bit)
        for bit, name in enumerate(filtered.fit.names):
            if by_bit[bit]:
                counts[resource_text(name)] = by_bit[bit]
    for row, words in filtered.words.items():
        if filtered.code[row] in (OTHER, OTHER_NEVER):
            for text in words.split("\n"):
                counts[text] = counts.get(text, 0) + 1
    plugins = {PLUGINS[code] for code in PLUGINS if by_code[code]} | filtered.plugins
    return counts, frozenset(plugins)
