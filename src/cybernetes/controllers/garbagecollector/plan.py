"""What is to be done with one object.

source  Kubernetes documentation "Garbage Collection"
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import msgspec

from cybernetes.controllers.garbagecollector.graph import FOREGROUND, ORPHAN, ItemMeta, Node


class Owner(enum.Enum):
    """solid: it exists; waiting: it exists and waits for its dependents to go; absent: it does not exist."""

    SOLID = "solid"
    WAITING = "waiting"
    ABSENT = "absent"


class Delete(msgspec.Struct, frozen=True):
    """propagation: Background, Foreground or Orphan. unblock: let go of the owners that it holds up before."""

    propagation: str
    unblock: bool = False


class DropOwners(msgspec.Struct, frozen=True):
    uids: frozenset[str]


class DropFinalizer(msgspec.Struct, frozen=True):
    name: str


class Orphan(msgspec.Struct, frozen=True):
    """Take the owner out of these dependents' references, then drop the finalizer."""

    dependents: tuple[Node, ...]


class LookAt(msgspec.Struct, frozen=True):
    """The fate of these objects comes first."""

    uids: tuple[str, ...]


Action = Delete | DropOwners | DropFinalizer | Orphan | LookAt


def plan_leaving(node: Node, dependents: Sequence[Node]) -> Action | None:
    """For an object that is being deleted: its dependents' fate, by the finalizer it has."""
    if node.orphaning:
        return Orphan(tuple(dependents))
    if not node.deleting_dependents:
        return None
    blocking = [each for each in dependents if each.blocks(node.metadata.uid)]
    if not blocking:
        return DropFinalizer(FOREGROUND)
    return LookAt(tuple(each.metadata.uid for each in dependents if not each.deleting))


def plan_owned(metadata: ItemMeta, owners: Mapping[str, Owner], dependents: Sequence[Node]) -> Action | None:
    """For an object with owners that is not being deleted. owners: by uid, each reference of it.

    Where a dependent is itself waiting for its dependents this may be a circle, in which everybody would wait for the
    next one: the object blocks nobody any more.
    """
    by_state = {state: frozenset(uid for uid, each in owners.items() if each is state) for state in Owner}
    if by_state[Owner.SOLID]:
        drop = by_state[Owner.WAITING] | by_state[Owner.ABSENT]
        return DropOwners(drop) if drop else None
    if by_state[Owner.WAITING] and dependents:
        return Delete("Foreground", unblock=any(each.deleting_dependents for each in dependents))
    if ORPHAN in metadata.finalizers:
        return Delete("Orphan")
    return Delete("Foreground" if FOREGROUND in metadata.finalizers else "Background")
