"""What users may write must not stop the scheduler, which serves all of them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from memory_api import node, pod

from cybernetes.base.random import SeededRandom
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.outcome import Placement
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.profile import Profile


def entry(name: str = "p", **spec: Any) -> PodEntry:
    manifest = pod(name)
    manifest["spec"].update(spec)
    return Interner().entry(msgspec.json.decode(json.dumps(manifest).encode(), type=PodObject))


def asking(**requests: str) -> list[dict[str, Any]]:
    return [{"name": "c", "image": "i", "resources": {"requests": requests}}]


def cycle() -> Cycle:
    columns = Columns()
    columns.put_node(msgspec.json.decode(json.dumps(node("a")).encode(), type=NodeObject))
    return Cycle(columns, Profile(), Nominations())


def test_pods_put_on_a_node_by_hand_may_ask_for_anything() -> None:
    found = cycle()
    for n in range(1000):
        found.columns.add_pod(entry(f"huge-{n}", containers=asking(cpu="9E", memory="7Ei")), "a")
    decision = found.decide(entry(), SeededRandom(1))
    assert not isinstance(decision, Placement)
    assert "1 Insufficient cpu, 1 Insufficient memory" in decision.message


def affinity(operator: str, value: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "size", "operator": operator, "values": [value]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


@pytest.mark.parametrize("value", ["9" * 10_000, "", "-", "٣", "1e3", "99999999999999999999"])
def test_a_number_that_is_none_matches_nothing(value: str) -> None:
    found = cycle()
    sized = node("sized")
    sized["metadata"]["labels"]["size"] = "5"
    found.columns.put_node(msgspec.json.decode(json.dumps(sized).encode(), type=NodeObject))
    decision = found.decide(entry(affinity=affinity("Gt", value)), SeededRandom(1))
    assert not isinstance(decision, Placement)
    assert "2 node(s) didn't match Pod's node affinity/selector" in decision.message


def test_too_many_kinds_of_resources_are_refused_in_words() -> None:
    kinds = {f"example.test/kind-{n}": "1" for n in range(31)}
    decision = cycle().decide(entry(containers=asking(**kinds)), SeededRandom(1))
    assert not isinstance(decision, Placement)
    assert decision.message == "0/1 nodes are available: pod requests more than 30 kinds of resources."


def test_a_skew_beyond_all_counts_allows_everything() -> None:
    constraint = {
        "maxSkew": 2**62,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {},
    }
    assert isinstance(cycle().decide(entry(topologySpreadConstraints=[constraint]), SeededRandom(1)), Placement)
