"""Nodes and pods of the scheduler's workloads, as manifests.

source  the shapes are those of Kubernetes' own scheduler benchmarks: three zones, 100m and 200Mi a pod
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
ZONES = 3
NAMESPACE = "bench"
OWN = {"labelSelector": {"matchLabels": {"app": "x"}}}
# Pods that fill each node before others preempt them.
VICTIMS_PER_NODE = 4
# Of ten pods of the workload "unschedulable" one asks for more than any node has.
HOPELESS_EVERY = 10


def node(n: int, cpu: str = "32") -> Object:
    labels = {HOST: f"node-{n}", ZONE: f"zone-{n % ZONES}"}
    allocatable = {"cpu": cpu, "memory": "64Gi", "pods": "110"}
    conditions = [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]
    status = {"allocatable": allocatable, "capacity": allocatable, "conditions": conditions}
    return {"metadata": {"name": f"node-{n}", "labels": labels}, "spec": {}, "status": status}


def pod(name: str, spec: Object, *, cpu: str = "100m", app: str = "x") -> Object:
    requests = {"requests": {"cpu": cpu, "memory": "200Mi"}}
    containers = [{"name": "app", "image": "registry.example/app:1", "resources": requests}]
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": app}}
    more = {"containers": containers, "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0}
    return {"metadata": metadata, "spec": {**more, **spec}}


def _spread(key: str, mode: str, skew: int = 1) -> Object:
    return {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": mode, **OWN}


def _required(side: str, key: str, app: str) -> Object:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    return {side: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _preferred(side: str, key: str) -> Object:
    term = {"weight": 1, "podAffinityTerm": {"topologyKey": key, **OWN}}
    return {side: {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}


def _in_zones(*zones: str) -> Object:
    expression = {"key": ZONE, "operator": "In", "values": list(zones)}
    terms = [{"matchExpressions": [expression]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def _basic(n: int, nodes: int) -> Object:
    return pod(f"pod-{n}", {})


def _spreading(n: int, nodes: int) -> Object:
    return pod(f"pod-{n}", {"topologySpreadConstraints": [_spread(ZONE, "DoNotSchedule", 5)]})


def _spreading_apart(n: int, nodes: int) -> Object:
    constraints = [_spread(ZONE, "DoNotSchedule", 5)]
    return pod(f"pod-{n}", {"topologySpreadConstraints": constraints, "affinity": _preferred("podAntiAffinity", HOST)})


def _preferring(n: int, nodes: int) -> Object:
    return pod(f"pod-{n}", {"affinity": _preferred("podAffinity", HOST)})


def _apart(n: int, nodes: int) -> Object:
    # A group of its own for as many pods as there are nodes, so that all find a place.
    app = f"group-{n // nodes}"
    return pod(f"pod-{n}", {"affinity": _required("podAntiAffinity", HOST, app)}, app=app)


def _on_some(n: int, nodes: int) -> Object:
    return pod(f"pod-{n}", {"affinity": _in_zones("zone-0", "zone-1")})


def _mixed(n: int, nodes: int) -> Object:
    kinds = (_basic, _spreading, _preferring, _apart, _on_some)
    return kinds[n % len(kinds)](n, nodes)


def _preempting(n: int, nodes: int) -> Object:
    return pod(f"pod-{n}", {"priorityClassName": "bench-high"}, cpu="1")


def _unschedulable(n: int, nodes: int) -> Object:
    return pod(f"pod-{n}", {}, cpu="1000" if is_hopeless(n) else "100m")


def is_hopeless(n: int) -> bool:
    """Whether a pod of the workload "unschedulable" fits nowhere."""
    return n % HOPELESS_EVERY == 0


WORKLOADS: dict[str, Callable[[int, int], Object]] = {
    "basic": _basic,
    "spread": _spreading,
    "spread-anti-affinity": _spreading_apart,
    "preferred-affinity": _preferring,
    "required-anti-affinity": _apart,
    "node-affinity": _on_some,
    "mixed": _mixed,
    "preemption": _preempting,
    "unschedulable": _unschedulable,
}


def nodes_of(workload: str, count: int) -> list[bytes]:
    # Where pods preempt each other the nodes have room for the victims only.
    cpu = str(VICTIMS_PER_NODE) if workload == "preemption" else "32"
    return [json.dumps(node(n, cpu)).encode() for n in range(count)]


def pods_of(workload: str, count: int, nodes: int) -> list[bytes]:
    make = WORKLOADS[workload]
    return [json.dumps(make(n, nodes)).encode() for n in range(count)]


def expected(workload: str, count: int) -> int:
    """How many of them find a node."""
    return sum(not is_hopeless(n) for n in range(count)) if workload == "unschedulable" else count


def victims_of(nodes: int) -> list[bytes]:
    """Pods that fill every node."""
    found = []
    for n in range(nodes * VICTIMS_PER_NODE):
        spec = {"priorityClassName": "bench-low", "nodeName": f"node-{n % nodes}"}
        found.append(json.dumps(pod(f"victim-{n}", spec, cpu="1", app="victim")).encode())
    return found


def priority_classes() -> list[bytes]:
    found = (("bench-low", 1), ("bench-high", 1000))
    return [json.dumps({"metadata": {"name": name}, "value": value}).encode() for name, value in found]
