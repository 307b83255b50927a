"""Victims by arithmetic: where only room decides, a dry run needs no look at the whole cluster.

holds   gives what the dry run in `preempt` gives, for pods of which `only_room` says so
"""

from __future__ import annotations

from collections.abc import Sequence

from cybernetes.scheduler.columns import ID_PODS
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.pods import PodEntry, Shape, terms_of
from cybernetes.scheduler.reasons import resource_text


def only_room(cycle: Cycle, pod: PodEntry) -> bool:
    """Whether pods on other nodes, ports and plugins that look at pods have no say in where this pod fits."""
    terms = terms_of(pod)
    return not (
        pod.shape.ports
        or cycle.has_volumes(pod)
        or terms.required
        or terms.required_anti
        or cycle.plan(pod).hard
        or cycle.has_nominations
        or cycle.profile.late
        or cycle.columns.tallies.carried("required_anti", pod.label_set)
    )


class Rooms:
    """The room for one pod on any node; only the resources that the pod asks for."""

    def __init__(self, cycle: Cycle, pod: PodEntry) -> None:
        self._columns = cycle.columns
        wanted = cycle.fit(pod).wanted
        self._ids = [resource for resource, _, _ in wanted]
        self.names = [name for _, name, _ in wanted]
        self.amounts = [amount for _, _, amount in wanted]
        # Pods of few templates run on many nodes.
        self._taken: dict[Shape, tuple[int, ...]] = {}

    def at(self, row: int) -> Room:
        columns, stride = self._columns, self._columns.stride
        free = [columns.allocatable[id * stride + row] - columns.used[id * stride + row] for id in self._ids]
        return Room(self, free)

    def taken(self, pod: PodEntry) -> tuple[int, ...]:
        """What a pod takes of each of the resources."""
        found = self._taken.get(pod.shape)
        if found is None:
            asked = dict(pod.shape.requests.amounts)
            found = tuple(
                1 if resource == ID_PODS else asked.get(name, 0)
                for resource, name in zip(self._ids, self.names, strict=True)
            )
            self._taken[pod.shape] = found
        return found


class Room:
    """What is free on one node, as pods come and go in thought."""

    __slots__ = ("_free", "_rooms")

    def __init__(self, rooms: Rooms, free: list[int]) -> None:
        self._rooms = rooms
        self._free = free

    def give_back(self, pods: Sequence[PodEntry]) -> None:
        """These pods go."""
        for pod in pods:
            self._free = [free + taken for free, taken in zip(self._free, self._rooms.taken(pod), strict=True)]

    def shortage(self) -> list[tuple[str, int]]:
        """(resource, how much more would be needed) where the pod does not fit."""
        rooms = self._rooms
        return [
            (name, amount - free)
            for name, amount, free in zip(rooms.names, rooms.amounts, self._free, strict=True)
            if amount > free
        ]

    def missing(self) -> list[str]:
        """The reasons why the pod does not fit; [] when it does."""
        return [resource_text(name) for name, _ in self.shortage()]

    def reprieve(self, pods: Sequence[PodEntry]) -> list[PodEntry]:
        """Let pods come back, in this order, while there is room; returns those that can't."""
        victims = []
        amounts = self._rooms.amounts
        for pod in pods:
            left = [free - taken for free, taken in zip(self._free, self._rooms.taken(pod), strict=True)]
            if any(amount > free for amount, free in zip(amounts, left, strict=True)):
                victims.append(pod)
            else:
                self._free = left
        return victims
