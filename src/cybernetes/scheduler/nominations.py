"""Pods that wait for their victims to go, and the node that was freed for each."""

from __future__ import annotations

from collections.abc import Iterator

from cybernetes.scheduler.pods import PodEntry


class Nominations:
    def __init__(self) -> None:
        self._by_node: dict[str, dict[str, PodEntry]] = {}
        self._node_of: dict[str, str] = {}
        # How many of them say which pods they want near or far.
        self._with_terms = 0

    def __bool__(self) -> bool:
        return bool(self._node_of)

    @property
    def need_only_room(self) -> bool:
        """Whether all that they can keep from other pods is room, ports and volumes."""
        return not self._with_terms

    def put(self, pod: PodEntry, node_name: str) -> None:
        self.remove(pod.key)
        self._by_node.setdefault(node_name, {})[pod.key] = pod
        self._node_of[pod.key] = node_name
        self._with_terms += pod.shape.terms is not None

    def remove(self, key: str) -> None:
        name = self._node_of.pop(key, None)
        if name is None:
            return
        pods = self._by_node[name]
        self._with_terms -= pods.pop(key).shape.terms is not None
        if not pods:
            del self._by_node[name]

    def on(self, node_name: str) -> list[PodEntry]:
        return list(self._by_node.get(node_name, {}).values())

    def rivals(self, pod: PodEntry) -> Iterator[tuple[str, list[PodEntry]]]:
        """(node, pods nominated to it that are at least as important), other than the pod itself."""
        for name, pods in list(self._by_node.items()):
            found = [each for each in pods.values() if each.priority >= pod.priority and each.key != pod.key]
            if found:
                yield name, found
