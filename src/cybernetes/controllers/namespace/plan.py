"""What the conditions of a namespace under deletion say.

source  Kubernetes documentation "Namespaces"; API reference, Namespace v1: NamespaceCondition
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from cybernetes.base.clock import rfc3339
from cybernetes.controllers.objects import Condition
from cybernetes.controllers.pods import condition

# How clients begin to tell of groups that they could not read.
INCOMPLETE = "unable to retrieve the complete list of server APIs"


class Remains(msgspec.Struct):
    """What a look at a namespace found.

    instances   objects left, by `resource.group`
    finalizers  objects left that have this finalizer
    failures    what could not be listed or deleted
    discovery   groups that could not be read
    grace_s     the longest time that a pod may still take
    """

    instances: Counter[str] = msgspec.field(default_factory=Counter)
    finalizers: Counter[str] = msgspec.field(default_factory=Counter)
    failures: list[str] = []
    discovery: Sequence[str] = ()
    grace_s: int = 0

    @property
    def nothing(self) -> bool:
        return not self.instances and not self.failures and not self.discovery


def conditions(old: Sequence[Condition], remains: Remains, now: float) -> list[dict[str, Any]]:
    """The five conditions; one that says what it said keeps its time."""
    return [_timed(tuple(old), each, now) for each in _told(remains)]


def _told(remains: Remains) -> list[Condition]:
    undiscovered = f"Discovery failed for some groups, {len(remains.discovery)} failing: {INCOMPLETE}: "
    return [
        _one(
            "NamespaceDeletionDiscoveryFailure",
            remains.discovery,
            ("DiscoveryFailed", undiscovered),
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        _one(
            "NamespaceDeletionGroupVersionParsingFailure",
            (),
            ("GroupVersionParsingFailed", ""),
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        _one(
            "NamespaceDeletionContentFailure",
            remains.failures,
            ("ContentDeletionFailed", f"Failed to delete all resource types, {len(remains.failures)} remaining: "),
            ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ),
        _one(
            "NamespaceContentRemaining",
            [f"{name} has {count} resource instances" for name, count in sorted(remains.instances.items())],
            ("SomeResourcesRemain", "Some resources are remaining: "),
            ("ContentRemoved", "All content successfully removed"),
        ),
        _one(
            "NamespaceFinalizersRemaining",
            [f"{name} in {count} resource instances" for name, count in sorted(remains.finalizers.items())],
            ("SomeFinalizersRemain", "Some content in the namespace has finalizers remaining: "),
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        ),
    ]


def _one(kind: str, troubles: Sequence[str], bad: tuple[str, str], good: tuple[str, str]) -> Condition:
    if not troubles:
        return Condition(type=kind, status="False", reason=good[0], message=good[1])
    return Condition(type=kind, status="True", reason=bad[0], message=bad[1] + ", ".join(troubles))


def _timed(old: tuple[Condition, ...], new: Condition, now: float) -> dict[str, Any]:
    before = condition(old, new.type)
    same = before is not None and (before.status, before.reason, before.message) == (
        new.status,
        new.reason,
        new.message,
    )
    since = before.last_transition_time if before is not None and same else rfc3339(now)
    timed: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(new, last_transition_time=since))
    return timed


def look_again_in(remains: Remains) -> float:
    """Seconds until another look makes sense."""
    if remains.finalizers:
        return 8.0
    return remains.grace_s / 2 + 1
