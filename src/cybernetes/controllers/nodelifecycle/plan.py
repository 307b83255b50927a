"""What a node's conditions mean: for its taints, for its pods, for its zone.

source  Kubernetes documentation "Node Status", "Taints and Tolerations"
"""

from __future__ import annotations

import enum
from typing import Any

from cybernetes.base.clock import rfc3339
from cybernetes.controllers.objects import Node, Taint
from cybernetes.controllers.pods import condition

PREFIX = "node.kubernetes.io/"
NOT_READY = PREFIX + "not-ready"
UNREACHABLE = PREFIX + "unreachable"
UNSCHEDULABLE = PREFIX + "unschedulable"
_PRESSURE = {
    "MemoryPressure": PREFIX + "memory-pressure",
    "DiskPressure": PREFIX + "disk-pressure",
    "PIDPressure": PREFIX + "pid-pressure",
    "NetworkUnavailable": PREFIX + "network-unavailable",
}
_MANAGED = {NOT_READY, UNREACHABLE, UNSCHEDULABLE, *_PRESSURE.values()}
_POSTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")

# Of a zone's nodes this share must be silent for it to count as partly disrupted.
PARTIAL_SHARE = 0.55
LARGE_ZONE = 50
NORMAL_RATE = 0.1
SMALL_RATE = 0.01


class ZoneState(enum.Enum):
    NORMAL = "normal"
    PARTIAL = "partly disrupted"
    FULL = "fully disrupted"


def ready_status(node: Node) -> str:
    """True, False or Unknown; Unknown when it was never said."""
    ready = condition(node.status.conditions, "Ready")
    return ready.status if ready else "Unknown"


def unknown_conditions(node: Node, now: float) -> list[dict[str, Any]]:
    """Conditions to write for a node that has been silent for too long; none when they say so already."""
    changed = []
    for kind in _POSTED:
        current = condition(node.status.conditions, kind)
        if current is not None and current.status == "Unknown":
            continue
        never = current is None
        changed.append(
            {
                "type": kind,
                "status": "Unknown",
                "reason": "NodeStatusNeverUpdated" if never else "NodeStatusUnknown",
                "message": f"Kubelet {'never posted' if never else 'stopped posting'} node status.",
                "lastHeartbeatTime": node.metadata.creation_timestamp
                if current is None
                else current.last_heartbeat_time or None,
                "lastTransitionTime": rfc3339(now),
            }
        )
    return changed


def no_schedule_keys(node: Node) -> set[str]:
    """Keys of the NoSchedule taints that the node should have."""
    keys = set()
    match ready_status(node):
        case "False":
            keys.add(NOT_READY)
        case "Unknown":
            keys.add(UNREACHABLE)
    for kind, key in _PRESSURE.items():
        found = condition(node.status.conditions, kind)
        if found is not None and found.status == "True":
            keys.add(key)
    if node.spec.unschedulable:
        keys.add(UNSCHEDULABLE)
    return keys


def no_execute_key(node: Node) -> str | None:
    """Key of the NoExecute taint that the node should have."""
    return {"False": NOT_READY, "Unknown": UNREACHABLE}.get(ready_status(node))


def taints(node: Node, *, execute: str | None, now: float) -> list[dict[str, Any]] | None:
    """All taints that the node should have; None when it has them. `execute`: the NoExecute key, None for none."""
    wanted = {(key, "NoSchedule") for key in no_schedule_keys(node)}
    if execute is not None:
        wanted.add((execute, "NoExecute"))
    have = {(each.key, each.effect) for each in node.spec.taints if _is_ours(each)}
    if wanted == have:
        return None
    kept = [_json(each) for each in node.spec.taints if not _is_ours(each) or (each.key, each.effect) in wanted]
    added = sorted(wanted - have)
    return kept + [{"key": key, "effect": effect, "timeAdded": rfc3339(now)} for key, effect in added]


def _is_ours(taint: Taint) -> bool:
    if taint.effect == "NoSchedule":
        return taint.key in _MANAGED
    return taint.effect == "NoExecute" and taint.key in (NOT_READY, UNREACHABLE)


def _json(taint: Taint) -> dict[str, Any]:
    found = {"key": taint.key, "effect": taint.effect, "value": taint.value, "timeAdded": taint.time_added}
    return {name: value for name, value in found.items() if value}


def has_execute_taint(node: Node) -> str | None:
    """The key of our NoExecute taint that the node has."""
    return next((each.key for each in node.spec.taints if each.effect == "NoExecute" and _is_ours(each)), None)


def zone_of(node: Node) -> str:
    labels = node.metadata.labels
    region = labels.get("topology.kubernetes.io/region", "")
    zone = labels.get("topology.kubernetes.io/zone", "")
    return f"{region}:\x00:{zone}" if region or zone else ""


def zone_state(size: int, silent: int) -> ZoneState:
    """Of a zone with so many nodes, of which so many are not Ready."""
    if silent == size > 0:
        return ZoneState.FULL
    if silent > 2 and silent / size >= PARTIAL_SHARE:
        return ZoneState.PARTIAL
    return ZoneState.NORMAL


def rate(state: ZoneState, size: int) -> float:
    """Nodes a second that may get a NoExecute taint in a zone of `size` nodes."""
    if state is ZoneState.PARTIAL:
        return SMALL_RATE if size > LARGE_ZONE else 0.0
    return NORMAL_RATE
