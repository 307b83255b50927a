"""Pods that wait for their victims to go, and the node that was freed for each."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from cybernetes.scheduler.columns import ID_PODS, Columns
from cybernetes.scheduler.pods import PodEntry

# Changes that are remembered for those who sum nominations up; who fell behind further starts again.
CHANGES_MAX = 4096


class Nominations:
    """changes: (pod, node, 1 or -1) in order; `changes_base` is the position of the first one."""

    def __init__(self) -> None:
        self.changes: list[tuple[PodEntry, str, int]] = []
        self.changes_base = 0
        self._by_node: dict[str, dict[str, PodEntry]] = {}
        self._node_of: dict[str, str] = {}
        # How many of them say which pods they want near or far; how many there are of each priority.
        self._with_terms = 0
        self._priorities: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._node_of)

    @property
    def need_only_room(self) -> bool:
        """Whether all that they can keep from other pods is room, ports and volumes."""
        return not self._with_terms

    def all_count_for(self, pod: PodEntry) -> bool:
        """Whether all are at least as important as this pod."""
        return min(self._priorities, default=pod.priority) >= pod.priority

    def put(self, pod: PodEntry, node_name: str) -> None:
        self.remove(pod.key)
        self._by_node.setdefault(node_name, {})[pod.key] = pod
        self._node_of[pod.key] = node_name
        self._with_terms += pod.shape.terms is not None
        self._priorities[pod.priority] = self._priorities.get(pod.priority, 0) + 1
        self._changed(pod, node_name, 1)

    def remove(self, key: str) -> None:
        name = self._node_of.pop(key, None)
        if name is None:
            return
        pods = self._by_node[name]
        pod = pods.pop(key)
        if not pods:
            del self._by_node[name]
        self._with_terms -= pod.shape.terms is not None
        self._priorities[pod.priority] -= 1
        if not self._priorities[pod.priority]:
            del self._priorities[pod.priority]
        self._changed(pod, name, -1)

    def on(self, node_name: str) -> list[PodEntry]:
        return list(self._by_node.get(node_name, {}).values())

    def find(self, key: str) -> tuple[PodEntry, str] | None:
        """The pod as it was nominated, and its node."""
        name = self._node_of.get(key)
        return None if name is None else (self._by_node[name][key], name)

    def all(self) -> Iterator[tuple[PodEntry, str]]:
        for name, pods in self._by_node.items():
            for pod in pods.values():
                yield pod, name

    def rivals(self, pod: PodEntry) -> Iterator[tuple[str, list[PodEntry]]]:
        """(node, pods nominated to it that are at least as important), other than the pod itself."""
        for name, pods in list(self._by_node.items()):
            found = [each for each in pods.values() if each.priority >= pod.priority and each.key != pod.key]
            if found:
                yield name, found

    def _changed(self, pod: PodEntry, name: str, sign: int) -> None:
        self.changes.append((pod, name, sign))
        if len(self.changes) > CHANGES_MAX:
            half = len(self.changes) // 2
            self.changes_base += half
            del self.changes[:half]


class Crowd:
    """What nominated pods will take, as a column beside `Columns.used`: `amounts[resource * stride + row]`."""

    def __init__(self, columns: Columns, nominations: Nominations) -> None:
        self._columns = columns
        self._nominations = nominations
        self._position = -1
        # What the rows and resources were when the amounts were summed up.
        self._form = (-1, -1, -1)
        self.amounts = array("q")

    def of_rivals(self, pod: PodEntry) -> array[int]:
        """Of those that count when this pod is judged; belongs to the crowd, and holds until the next call."""
        if self._nominations.all_count_for(pod):
            self._refresh()
            own = self._nominations.find(pod.key)
            if own is None:
                return self.amounts
            amounts = self.amounts[:]
            self._add(*own, -1, amounts)
            return amounts
        amounts = self._empty()
        for name, others in self._nominations.rivals(pod):
            for other in others:
                self._add(other, name, 1, amounts)
        return amounts

    def _refresh(self) -> None:
        columns, nominations = self._columns, self._nominations
        form = (columns.version, columns.stride, len(columns.resource_ids))
        if form != self._form or self._position < nominations.changes_base:
            self._form = form
            self.amounts = self._empty()
            for pod, name in nominations.all():
                self._add(pod, name, 1, self.amounts)
        else:
            for pod, name, sign in nominations.changes[self._position - nominations.changes_base :]:
                self._add(pod, name, sign, self.amounts)
        self._position = nominations.changes_base + len(nominations.changes)

    def _empty(self) -> array[int]:
        return array("q", bytes(8 * len(self._columns.used)))

    def _add(self, pod: PodEntry, name: str, sign: int, amounts: array[int]) -> None:
        columns = self._columns
        row = columns.rows.get(name)
        if row is None:
            return
        amounts[ID_PODS * columns.stride + row] += sign
        for each, amount in pod.shape.requests.amounts:
            resource = columns.resource_ids.get(each)
            # A resource that no node and no pod with a node has is no node's to give.
            if resource is not None:
                amounts[resource * columns.stride + row] += sign * amount
