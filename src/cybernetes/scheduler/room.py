"""Victims by arithmetic: where only room decides, a dry run needs no look at the whole cluster.

holds   gives what the dry run in `preempt` gives, for pods of which `only_room` says so
"""

from __future__ import annotations

from collections.abc import Sequence

from cybernetes.scheduler.columns import ID_PODS
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.pods import PodEntry, terms_of
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


class Room:
    """What is free on one node of the resources that a pod asks for, as pods come and go in thought."""

    def __init__(self, cycle: Cycle, pod: PodEntry, row: int) -> None:
        columns = cycle.columns
        self._wanted = cycle.fit(pod).wanted
        self._free = []
        for resource, _, _ in self._wanted:
            at = resource * columns.stride + row
            self._free.append(columns.allocatable[at] - columns.used[at])

    def give_back(self, pod: PodEntry, sign: int = 1) -> None:
        """The pod goes (sign 1) or comes back (-1)."""
        requests = pod.shape.requests
        for n, (resource, name, _) in enumerate(self._wanted):
            self._free[n] += sign * (1 if resource == ID_PODS else requests.of(name))

    def missing(self) -> list[str]:
        """The reasons why the pod does not fit; [] when it does."""
        return [resource_text(name) for name, _ in self.shortage()]

    def shortage(self) -> list[tuple[str, int]]:
        """(resource, how much more would be needed) where the pod does not fit."""
        return [
            (name, amount - free)
            for (_, name, amount), free in zip(self._wanted, self._free, strict=True)
            if amount > free
        ]

    def reprieve(self, pods: Sequence[PodEntry]) -> list[PodEntry]:
        """Let pods come back, in this order, while there is room; returns those that can't."""
        victims = []
        for pod in pods:
            self.give_back(pod, -1)
            if any(amount > free for (_, _, amount), free in zip(self._wanted, self._free, strict=True)):
                self.give_back(pod)
                victims.append(pod)
        return victims
