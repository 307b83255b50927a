"""After any history of events, decisions are those of a scheduler that just started with the final state."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.preempt import reasons_of
from cybernetes.scheduler.profile import Profile

ZONES, APPS, NAMES = ("a", "b", None), ("web", "db"), tuple(f"n{n}" for n in range(70))
SHARED = Interner()


def make_node(rng: random.Random, name: str) -> NodeObject:
    labels = {"kubernetes.io/hostname": name, "size": str(rng.randint(1, 3))}
    zone = rng.choice(ZONES)
    if zone:
        labels["zone"] = zone
    taint = {"key": "k", "value": "v", "effect": rng.choice(("NoSchedule", "PreferNoSchedule"))}
    allocatable = {"cpu": str(rng.randint(1, 4)), "memory": "4Gi", "pods": str(rng.randint(1, 9))}
    if rng.random() < 0.3:
        allocatable["test/gpu"] = "2"
    manifest = {
        "metadata": {"name": name, "labels": labels},
        "spec": {"unschedulable": rng.random() < 0.1, "taints": [taint] if rng.random() < 0.3 else None},
        "status": {
            "allocatable": allocatable,
            "images": [{"names": ["app:1"], "sizeBytes": 600 << 20}] if rng.random() < 0.4 else None,
        },
    }
    return msgspec.json.decode(json.dumps(manifest).encode(), type=NodeObject)


def make_pod(rng: random.Random, name: str) -> PodEntry:
    def term() -> dict[str, Any]:
        key = rng.choice(("zone", "kubernetes.io/hostname"))
        return {"labelSelector": {"matchLabels": {"app": rng.choice(APPS)}}, "topologyKey": key}

    requests = {"cpu": f"{rng.choice((0, 100, 500, 900))}m", "memory": "100Mi"}
    if rng.random() < 0.2:
        requests["test/gpu"] = "1"
    ports = [{"hostPort": rng.randint(1, 2)}] if rng.random() < 0.2 else []
    spec: dict[str, Any] = {
        "priority": rng.randint(0, 2),
        "containers": [{"image": "app:1", "resources": {"requests": requests}, "ports": ports}],
    }
    if rng.random() < 0.3:
        mode = rng.choice(("DoNotSchedule", "ScheduleAnyway"))
        spec["topologySpreadConstraints"] = [{**term(), "maxSkew": 1, "whenUnsatisfiable": mode}]
    if rng.random() < 0.5:
        side = rng.choice(("podAffinity", "podAntiAffinity"))
        hard = {"requiredDuringSchedulingIgnoredDuringExecution": [term()]}
        weighted = [{"weight": rng.randint(1, 100), "podAffinityTerm": term()}]
        soft = {"preferredDuringSchedulingIgnoredDuringExecution": weighted}
        spec["affinity"] = {side: rng.choice((hard, soft))}
    metadata = {"name": name, "namespace": rng.choice(("x", "y")), "uid": name, "labels": {"app": rng.choice(APPS)}}
    return SHARED.entry(msgspec.json.decode(json.dumps({"metadata": metadata, "spec": spec}).encode(), type=PodObject))


def view(cycle: Cycle, pod: PodEntry) -> dict[str, Any]:
    """Reasons, or the total less the best one's, by node: row numbers and shared constants don't matter."""
    filtered = cycle.filter(pod)
    total = cycle.total(pod, filtered.code)
    rows = [row for row in cycle.columns.rows.values() if cycle.columns.nodes[row] is not None]
    best = max((total[row] for row in rows if filtered.code[row] == 0), default=0)
    return {cycle.columns.names[row]: reasons_of(filtered, row) or total[row] - best for row in rows}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_history_does_not_matter(seed: int) -> None:
    rng = random.Random(seed)
    columns = Columns()
    cycle = Cycle(columns, Profile(), Nominations())
    nodes: dict[str, NodeObject] = {}
    pods: dict[str, tuple[PodEntry, str]] = {}
    asked = [make_pod(rng, f"asked-{n}") for n in range(3)]
    names = NAMES[: rng.choice((4, 70))]
    for step in range(rng.randint(5, 120)):
        match rng.choice(("node", "node", "pod", "pod", "pod", "gone", "removed", "ask")):
            case "node":
                name = rng.choice(names)
                nodes[name] = make_node(rng, name)
                columns.put_node(nodes[name])
            case "gone" if nodes:
                name = rng.choice(sorted(nodes))
                del nodes[name]
                columns.remove_node(name)
            case "pod":
                pod, where = make_pod(rng, f"p{step}"), rng.choice(names)
                pods[pod.key] = (pod, where)
                columns.add_pod(pod, where)
            case "removed" if pods:
                pod, where = pods.pop(rng.choice(sorted(pods)))
                columns.remove_pod(pod, where)
            case "ask":
                view(cycle, rng.choice(asked))
    fresh = Columns()
    for node in nodes.values():
        fresh.put_node(node)
    for pod, where in pods.values():
        fresh.add_pod(pod, where)
    for pod in asked:
        assert view(cycle, pod) == view(Cycle(fresh, Profile(), Nominations()), pod)
