"""What the runtime has of each pod, and what changed since the last look. Pure.

Rows of the runtime's lists are cheap; the whole status of a container is asked for only when its
row changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from cybernetes.kubelet.runtime.api import Container, ContainerStatus, Sandbox, SandboxStatus, State


class Rows(msgspec.Struct, frozen=True):
    """A pod's rows, ordered by id so that equal content is equal."""

    sandboxes: tuple[Sandbox, ...] = ()
    containers: tuple[Container, ...] = ()


class Observed(msgspec.Struct, frozen=True):
    """A pod as the runtime has it: sandboxes and containers, newest first."""

    sandboxes: tuple[SandboxStatus, ...] = ()
    containers: tuple[ContainerStatus, ...] = ()

    @property
    def sandbox(self) -> SandboxStatus | None:
        return self.sandboxes[0] if self.sandboxes else None

    @property
    def ready_sandbox(self) -> SandboxStatus | None:
        return next((each for each in self.sandboxes if each.ready), None)

    def instances(self, name: str) -> list[ContainerStatus]:
        """All instances of a container, newest first."""
        return [each for each in self.containers if each.name == name]

    def latest(self, name: str) -> ContainerStatus | None:
        return next((each for each in self.containers if each.name == name), None)

    def running(self) -> list[ContainerStatus]:
        return [each for each in self.containers if each.state is State.RUNNING]


def newest_first(containers: Iterable[ContainerStatus]) -> tuple[ContainerStatus, ...]:
    return tuple(sorted(containers, key=lambda each: (each.created_at, each.attempt), reverse=True))


def _newest_sandbox(sandboxes: Iterable[SandboxStatus]) -> tuple[SandboxStatus, ...]:
    return tuple(sorted(sandboxes, key=lambda each: (each.created_at, each.attempt), reverse=True))


def build(sandboxes: Iterable[SandboxStatus], containers: Iterable[ContainerStatus]) -> Observed:
    return Observed(_newest_sandbox(sandboxes), newest_first(containers))


def group(sandboxes: Iterable[Sandbox], containers: Iterable[Container]) -> dict[str, Rows]:
    """Pod uid -> its rows. Containers whose sandbox is of a pod belong to that pod."""
    boxes: dict[str, list[Sandbox]] = {}
    rows: dict[str, list[Container]] = {}
    for box in sandboxes:
        boxes.setdefault(box.uid, []).append(box)
    for row in containers:
        rows.setdefault(row.uid, []).append(row)
    return {
        uid: Rows(
            tuple(sorted(boxes.get(uid, ()), key=lambda each: each.id)),
            tuple(sorted(rows.get(uid, ()), key=lambda each: each.id)),
        )
        for uid in {**boxes, **rows}
        if uid
    }


def changed(before: Mapping[str, Rows], after: Mapping[str, Rows]) -> list[str]:
    """Uids of pods whose rows differ, in order."""
    return sorted(uid for uid in before.keys() | after.keys() if before.get(uid) != after.get(uid))
