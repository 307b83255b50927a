"""The recorded clusters of the reference scheduler, as columns, pods and budgets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import LabelSelector, NodeObject, PodObject
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.profile import Profile
from cybernetes.scheduler.selectors import compile_selector
from cybernetes.scheduler.victims import Budget

CLASSES = {"low": (10, ""), "mid": (100, ""), "high": (1000, ""), "polite": (1000, "Never")}
NAMESPACE = "sched"


def golden_file() -> Path:
    default = Path(__file__).parents[4] / "shared" / "golden"
    return Path(os.environ.get("CYBERNETES_GOLDEN", default)) / "scheduler.jsonl"


def scenarios() -> Iterator[dict[str, Any]]:
    with golden_file().open() as lines:
        for line in lines:
            yield json.loads(line)


def entry(interner: Interner, manifest: dict[str, Any]) -> PodEntry:
    """The pod as the API server would give it: namespace and priority filled in."""
    spec = dict(manifest["spec"])
    priority, policy = CLASSES.get(spec.pop("priorityClassName", ""), (0, ""))
    spec["priority"] = priority
    if policy:
        spec["preemptionPolicy"] = policy
    metadata = {**manifest["metadata"], "namespace": NAMESPACE, "uid": manifest["metadata"]["name"]}
    body = json.dumps({"metadata": metadata, "spec": spec}).encode()
    return interner.entry(msgspec.json.decode(body, type=PodObject))


def cluster(scenario: dict[str, Any], profile: Profile | None = None) -> tuple[Cycle, PodEntry, list[Budget]]:
    columns, interner = Columns(), Interner()
    for node in scenario["nodes"]:
        columns.put_node(msgspec.json.decode(json.dumps(node).encode(), type=NodeObject))
    for manifest in scenario["pods"]:
        pod = entry(interner, manifest)
        columns.add_pod(pod, pod.node_name)
    cycle = Cycle(columns, profile or Profile(), Nominations())
    return cycle, entry(interner, scenario["pod"]), [budget(each) for each in scenario["budgets"]]


def budget(manifest: dict[str, Any]) -> Budget:
    selector = msgspec.convert(manifest["spec"]["selector"], LabelSelector)
    return Budget(NAMESPACE, compile_selector(selector), allowed=0)
