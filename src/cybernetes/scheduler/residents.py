"""The pods of all nodes as flat arrays, for the choice of victims; kept once somebody preempts.

enters   pods as they come to rows, change and go
leaves   a slot for each pod; chains of slots by row, in the order in which the pods came
holds    a slot keeps its number while its pod stays; nothing of this exists in a cluster where nobody preempts
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import datetime

from cybernetes.native import load
from cybernetes.scheduler.pods import LabelSet, PodEntry

kernels = load("victims")

SLOTS_FIRST = 256
NO_SLOT = -1


class Residents:
    def __init__(self, rows: int, resources: int) -> None:
        self.slots = SLOTS_FIRST
        self.entries: list[PodEntry | None] = [None] * self.slots
        self.slot_of: dict[str, int] = {}
        self.head = array("i", [NO_SLOT]) * rows
        self.following = array("i", [NO_SLOT]) * self.slots
        self.priority = array("i", bytes(4 * self.slots))
        self.started = array("q", bytes(8 * self.slots))
        self.group = array("i", bytes(4 * self.slots))
        self.amounts = array("q", bytes(8 * self.slots * resources))
        # Label sets that some pod has; a number is given anew when the last pod of its set is gone.
        self.groups: list[LabelSet | None] = []
        self._tail = array("i", [NO_SLOT]) * rows
        self._before = array("i", [NO_SLOT]) * self.slots
        self._resources = resources
        self._free = list(range(self.slots - 1, -1, -1))
        self._group_of: dict[LabelSet, int] = {}
        self._members: list[int] = []
        self._free_groups: list[int] = []

    def add(self, pod: PodEntry, row: int, amounts: Sequence[tuple[int, int]]) -> None:
        """amounts: (resource id, amount) of the pod, its place among the pods of the node included."""
        while row >= len(self.head):
            self.head.append(NO_SLOT)
            self._tail.append(NO_SLOT)
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self.slot_of[pod.key] = slot
        self._describe(slot, pod)
        for resource, amount in amounts:
            if resource >= self._resources:
                self.reserve(resource + 1)
            self.amounts[resource * self.slots + slot] = amount
        last = self._tail[row]
        self._before[slot] = last
        self.following[slot] = NO_SLOT
        self._tail[row] = slot
        if last == NO_SLOT:
            self.head[row] = slot
        else:
            self.following[last] = slot

    def change(self, pod: PodEntry) -> None:
        """The same pod with another start or other labels."""
        slot = self.slot_of[pod.key]
        self._leave_group(slot)
        self._describe(slot, pod)

    def remove(self, key: str, row: int) -> None:
        slot = self.slot_of.pop(key)
        before, after = self._before[slot], self.following[slot]
        if before == NO_SLOT:
            self.head[row] = after
        else:
            self.following[before] = after
        if after == NO_SLOT:
            self._tail[row] = before
        else:
            self._before[after] = before
        self._leave_group(slot)
        self.entries[slot] = None
        for resource in range(self._resources):
            self.amounts[resource * self.slots + slot] = 0
        self._free.append(slot)

    def reserve(self, resources: int) -> None:
        """Have room for resources with ids below this."""
        if resources > self._resources:
            self.amounts.frombytes(bytes(8 * self.slots * (resources - self._resources)))
            self._resources = resources

    def _describe(self, slot: int, pod: PodEntry) -> None:
        self.entries[slot] = pod
        self.priority[slot] = pod.priority
        self.started[slot] = started_at(pod.start_time)
        group = self._group_of.get(pod.label_set)
        if group is None:
            group = self._new_group(pod.label_set)
        self.group[slot] = group
        self._members[group] += 1

    def _new_group(self, labels: LabelSet) -> int:
        if self._free_groups:
            group = self._free_groups.pop()
            self.groups[group] = labels
        else:
            group = len(self.groups)
            self.groups.append(labels)
            self._members.append(0)
        self._group_of[labels] = group
        return group

    def _leave_group(self, slot: int) -> None:
        group = self.group[slot]
        self._members[group] -= 1
        if self._members[group] == 0:
            labels = self.groups[group]
            assert labels is not None
            del self._group_of[labels]
            self.groups[group] = None
            self._free_groups.append(group)

    def _grow(self) -> None:
        old, self.slots = self.slots, self.slots * 2
        self.entries.extend([None] * old)
        for each in (self.following, self._before):
            each.extend([NO_SLOT] * old)
        for column in (self.priority, self.group, self.started):
            column.extend([0] * old)
        wider, gap = array("q"), bytes(8 * old)
        for start in range(0, len(self.amounts), old):
            wider.extend(self.amounts[start : start + old])
            wider.frombytes(gap)
        self.amounts = wider
        self._free.extend(range(self.slots - 1, old - 1, -1))


def started_at(text: str) -> int:
    """Microseconds of a start time; `kernels.NEVER` of a pod that has not started, or whose time can't be read."""
    if not text:
        return int(kernels.NEVER)
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1e6)
    except ValueError:
        return int(kernels.NEVER)
