"""What controllers ask of pods, and how they make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from cybernetes.base.clock import parse_rfc3339
from cybernetes.client.target import Target
from cybernetes.controllers.objects import Condition, Meta, Pod, PodCondition, raw

C = TypeVar("C", Condition, PodCondition)

# Longest prefix of a generated name: five characters follow, and a pod's name is a host name.
GENERATED_PREFIX_MAX = 58


def is_terminal(pod: Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def is_active(pod: Pod) -> bool:
    """Neither ended nor on its way out."""
    return not is_terminal(pod) and not pod.metadata.deletion_timestamp


def condition(conditions: Sequence[C], kind: str) -> C | None:
    """The condition of this type."""
    return next((each for each in conditions if each.type == kind), None)


def is_ready(pod: Pod) -> bool:
    ready = condition(pod.status.conditions, "Ready")
    return ready is not None and ready.status == "True"


def ready_since(pod: Pod) -> float | None:
    """When the pod became ready; None when it is not."""
    ready = condition(pod.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        return None
    return parse_rfc3339(ready.last_transition_time) if ready.last_transition_time else 0.0


def is_available(pod: Pod, min_ready_s: int, now: float) -> bool:
    """Ready for at least `min_ready_s`."""
    since = ready_since(pod)
    return since is not None and (min_ready_s == 0 or since + min_ready_s <= now)


def available_in(pods: list[Pod], min_ready_s: int, now: float) -> float | None:
    """Seconds until the next ready pod becomes available; None when none will by waiting."""
    if not min_ready_s:
        return None
    waits = [since + min_ready_s - now for pod in pods if (since := ready_since(pod)) is not None]
    return min((wait for wait in waits if wait > 0), default=None)


def owner_reference(target: Target, metadata: Meta) -> dict[str, Any]:
    """The reference that makes an object controlled by `metadata`'s."""
    return {
        "apiVersion": target.api_version,
        "kind": target.kind,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod_of(template: msgspec.Raw | dict[str, Any], owner: dict[str, Any], prefix: str) -> dict[str, Any]:
    """A pod to create from a template, its name generated from `prefix`, controlled by `owner`."""
    decoded = template if isinstance(template, dict) else raw(template)
    metadata = decoded.get("metadata") or {}
    kept = {name: metadata[name] for name in ("labels", "annotations", "finalizers") if metadata.get(name)}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"generateName": prefix[:GENERATED_PREFIX_MAX], **kept, "ownerReferences": [owner]},
        "spec": decoded.get("spec") or {},
    }
