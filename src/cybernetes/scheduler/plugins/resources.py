"""NodeResourcesFit and NodeResourcesBalancedAllocation: what is left on each node.

Kept for each vector of requests; after a change only the rows that changed are computed again.
"""

from __future__ import annotations

from array import array

import msgspec

from cybernetes.native import load
from cybernetes.scheduler.columns import ID_PODS, SCORED_CPU, SCORED_MEMORY, Columns
from cybernetes.scheduler.reasons import FIT, FIT_NEVER
from cybernetes.scheduler.requests import CPU, MEMORY, Requests

kernels = load("score")
victims = load("victims")

# Bits of one int32 that may be set; pods that ask for more kinds of resources are refused.
WANTED_MAX = 31
TOO_MANY_KINDS = f"pod requests more than {WANTED_MAX - 1} kinds of resources"
# The kernel's room for fractions.
BALANCED_MAX = 16
MODES = {
    "LeastAllocated": kernels.LEAST,
    "MostAllocated": kernels.MOST,
    "RequestedToCapacityRatio": kernels.SHAPE,
}


class Strategy(msgspec.Struct, frozen=True):
    """How NodeResourcesFit scores.

    resources   (name, weight); shape: utilization and score 0..100 in turns, for RequestedToCapacityRatio
    """

    kind: str = "LeastAllocated"
    resources: tuple[tuple[str, int], ...] = ((CPU, 1), (MEMORY, 1))
    shape: tuple[int, ...] = ()


class FitArgs(msgspec.Struct, frozen=True):
    strategy: Strategy = Strategy()
    ignored: frozenset[str] = frozenset()
    ignored_groups: frozenset[str] = frozenset()
    balanced: tuple[tuple[str, int], ...] = ((CPU, 1), (MEMORY, 1))


class Fit:
    """One vector of requests against all nodes, refreshed from the journal.

    names   what each bit stands for, "pods" first
    bits    shape (rows,): what is insufficient; hard: 1 where it would be on an empty node too
    score, balance   0..100; balance is None for pods without requests
    """

    def __init__(self, columns: Columns, requests: Requests, args: FitArgs) -> None:
        self.stride = 0
        self.position = 0
        wanted = [(name, value) for name, value in requests.amounts if not _is_ignored(name, args)]
        # What does not fit in the bits is left out of them: the pod is refused before they are looked at.
        self.refused = TOO_MANY_KINDS if len(wanted) >= WANTED_MAX else ""
        wanted = wanted[: WANTED_MAX - 1]
        self.names = ["pods", *(name for name, _ in wanted)]
        self._wanted = array("i", [ID_PODS, *(columns.resource_id(name) for name, _ in wanted)])
        self._amounts = array("q", [1, *(value for _, value in wanted)])
        self._scored = _scored(columns, requests, args.strategy)
        self._mode = MODES[args.strategy.kind]
        self._shape = array("q", args.strategy.shape)
        self._balanced = _balanced(columns, requests, args)
        self.bits = array("i")
        self.hard = array("B")
        self.score = array("q")
        self.balance: array[int] | None = None

    @property
    def wanted(self) -> list[tuple[int, str, int]]:
        """(resource id, name, amount) in the order of the bits."""
        return list(zip(self._wanted, self.names, self._amounts, strict=True))

    def refresh(self, columns: Columns) -> None:
        end = columns.journal_base + len(columns.journal)
        if self.stride != columns.stride or self.position < columns.journal_base:
            self._allocate(columns.stride)
            rows = array("i", range(len(columns.names)))
        elif self.position == end:
            return
        else:
            rows = columns.journal[self.position - columns.journal_base :]
        self.position = end
        stride, allocatable, used = columns.stride, columns.allocatable, columns.used
        kernels.fit_rows(rows, self._wanted, self._amounts, stride, allocatable, used, self.bits, self.hard)
        ids, amounts, weights = self._scored
        kernels.score_rows(rows, ids, amounts, weights, stride, allocatable, used, self._mode, self._shape, self.score)
        if self.balance is not None:
            kernels.balance_rows(rows, *self._balanced, stride, allocatable, used, self.balance)

    def filter(self, code: array[int]) -> None:
        kernels.fail_by_bits(self.bits, self.hard, FIT, FIT_NEVER, code)

    def place(
        self,
        columns: Columns,
        code: array[int],
        extra: array[int],
        taken: tuple[array[int], array[int]],
        weights: tuple[int, int],
        chances: array[int],
        chosen: array[int],
    ) -> None:
        """Choose a row for each element of `chosen`, counting each pod in the columns' room before the next.

        taken     resource ids and amounts of one pod; weights: of the two scores
        chances   one random number for each pod
        """
        balance = self.balance if self.balance is not None else array("q")
        kernels.place(
            code,
            extra,
            *taken,
            self._wanted,
            self._amounts,
            *self._scored,
            *self._balanced,
            columns.stride,
            columns.allocatable,
            columns.used,
            self._mode,
            self._shape,
            self.bits,
            self.hard,
            self.score,
            balance,
            *weights,
            chances,
            chosen,
        )

    def filter_crowded(self, columns: Columns, crowd: array[int], bits: array[int], code: array[int]) -> None:
        """Write what is missing when `crowd` is taken too, where nothing else is against the node."""
        victims.crowd(
            self._wanted, self._amounts, columns.stride, columns.allocatable, columns.used, crowd, FIT, bits, code
        )

    def _allocate(self, stride: int) -> None:
        self.stride = stride
        self.bits = array("i", bytes(4 * stride))
        self.hard = array("B", bytes(stride))
        self.score = array("q", bytes(8 * stride))
        self.balance = array("q", bytes(8 * stride)) if len(self._balanced[0]) else None


def _is_ignored(name: str, args: FitArgs) -> bool:
    if "/" not in name:
        return False
    return name in args.ignored or name.partition("/")[0] in args.ignored_groups


def _is_extended(name: str) -> bool:
    return "/" in name or name.startswith(("hugepages-", "attachable-volumes-"))


def _scored(columns: Columns, requests: Requests, strategy: Strategy) -> tuple[array[int], array[int], array[int]]:
    """Resource ids, the pod's amounts and weights; a resource of devices counts only when the pod wants some."""
    ids, found, weights = array("i"), array("q"), array("q")
    special = {CPU: (SCORED_CPU, requests.scored_cpu_milli), MEMORY: (SCORED_MEMORY, requests.scored_memory_bytes)}
    for name, weight in strategy.resources:
        column, value = special.get(name, (name, requests.of(name)))
        if value == 0 and _is_extended(name):
            continue
        ids.append(columns.resource_id(column))
        found.append(value)
        weights.append(weight)
    return ids, found, weights


def _balanced(columns: Columns, requests: Requests, args: FitArgs) -> tuple[array[int], array[int]]:
    """Resource ids and amounts; empty when the pod requests none of them, for then there is no score."""
    ids, found = array("i"), array("q")
    if not any(requests.of(name) for name, _ in args.balanced):
        return ids, found
    for name, _ in args.balanced:
        value = requests.of(name)
        if value == 0 and _is_extended(name):
            continue
        ids.append(columns.resource_id(name))
        found.append(value)
    return ids, found
