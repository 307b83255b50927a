"""Why a node is not possible: codes in the order of the filters, and Kubernetes' words for each.

A code says too whether removing pods could help: RESOLVABLE ones are tried by preemption.
"""

from __future__ import annotations

POSSIBLE = 0
UNSCHEDULABLE = 1
TAINTS = 3
ADDED_AFFINITY = 4
NODE_AFFINITY = 5
PORTS = 6
FIT = 7
FIT_NEVER = 8
SPREAD_LABEL = 9
SPREAD = 10
POD_AFFINITY = 11
POD_ANTI_AFFINITY = 12
EXISTING_ANTI_AFFINITY = 13
DISK = 16
CLAIM_IN_USE = 17
VOLUME_COUNT = 18
VOLUME_GONE = 19
VOLUME_AFFINITY = 20
VOLUME_UNBOUND = 21
VOLUME_SPACE = 22
VOLUME_ZONE = 23
# Reasons in words, kept beside the codes: of volumes, of claims, of plugins from outside.
OTHER = 14
OTHER_NEVER = 15
# Outside of the nodes that PreFilter left over.
LEFT_OUT = 254
# No node in this row.
DEAD = 255

NO_MATCH_AFFINITY = "node(s) didn't match Pod's node affinity/selector"
NO_MATCH_SPREAD = "node(s) didn't match pod topology spread constraints"

TEXTS = {
    UNSCHEDULABLE: "node(s) were unschedulable",
    TAINTS: "node(s) had untolerated taint(s)",
    ADDED_AFFINITY: "node(s) didn't match scheduler-enforced node affinity",
    NODE_AFFINITY: NO_MATCH_AFFINITY,
    PORTS: "node(s) didn't have free ports for the requested pod ports",
    SPREAD_LABEL: f"{NO_MATCH_SPREAD} (missing required label)",
    SPREAD: NO_MATCH_SPREAD,
    POD_AFFINITY: "node(s) didn't match pod affinity rules",
    POD_ANTI_AFFINITY: "node(s) didn't match pod anti-affinity rules",
    EXISTING_ANTI_AFFINITY: "node(s) didn't satisfy existing pods anti-affinity rules",
    DISK: "node(s) had no available disk",
    CLAIM_IN_USE: (
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
    ),
    VOLUME_COUNT: "node(s) exceed max volume count",
    VOLUME_GONE: "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
    VOLUME_AFFINITY: "node(s) didn't match PersistentVolume's node affinity",
    VOLUME_UNBOUND: "node(s) didn't find available persistent volumes to bind",
    VOLUME_SPACE: "node(s) did not have enough free storage",
    VOLUME_ZONE: "node(s) had no available volume zone",
    LEFT_OUT: "node(s) didn't satisfy plugin(s) [NodeAffinity]",
}

RESOLVABLE = frozenset(
    (PORTS, FIT, SPREAD, POD_ANTI_AFFINITY, EXISTING_ANTI_AFFINITY, OTHER, DISK, CLAIM_IN_USE, VOLUME_COUNT)
)

# The plugin that rejects with each code, by its name in profiles and queueing hints.
PLUGINS = {
    UNSCHEDULABLE: "NodeUnschedulable",
    TAINTS: "TaintToleration",
    ADDED_AFFINITY: "NodeAffinity",
    NODE_AFFINITY: "NodeAffinity",
    PORTS: "NodePorts",
    FIT: "NodeResourcesFit",
    FIT_NEVER: "NodeResourcesFit",
    SPREAD_LABEL: "PodTopologySpread",
    SPREAD: "PodTopologySpread",
    POD_AFFINITY: "InterPodAffinity",
    POD_ANTI_AFFINITY: "InterPodAffinity",
    EXISTING_ANTI_AFFINITY: "InterPodAffinity",
    DISK: "VolumeRestrictions",
    CLAIM_IN_USE: "VolumeRestrictions",
    VOLUME_COUNT: "NodeVolumeLimits",
    VOLUME_GONE: "VolumeBinding",
    VOLUME_AFFINITY: "VolumeBinding",
    VOLUME_UNBOUND: "VolumeBinding",
    VOLUME_SPACE: "VolumeBinding",
    VOLUME_ZONE: "VolumeZone",
    LEFT_OUT: "NodeAffinity",
}

NO_NODES = "no nodes available to schedule pods"


def resource_text(name: str) -> str:
    return "Too many pods" if name == "pods" else f"Insufficient {name}"


def available_text(nodes: int, counts: dict[str, int]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 ...`; reasons sorted as whole strings, count included."""
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items() if count))
    return f"0/{nodes} nodes are available: {listed}." if listed else f"0/{nodes} nodes are available:"


# What the other plugin that is asked after a failure says, of pods without and with claims of devices.
NO_CLAIMS, STILL = "no new claims to deallocate", "still not schedulable"


def failure_text(message: str, preemption: str, *, claims: bool = False) -> str:
    """The whole message of a pod that fits nowhere; `preemption` is "" where that plugin is off."""
    said = STILL if claims else NO_CLAIMS
    return f"{message} {said}, preemption: {preemption}" if preemption else f"{message} {said}"
