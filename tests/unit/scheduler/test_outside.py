"""Plugins in Python run after the kernels, on the nodes that are left."""

from __future__ import annotations

import json
from array import array
from typing import Any

import msgspec
from memory_api import node, pod

from cybernetes.base.random import SeededRandom
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.config import decode
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.outcome import Placement
from cybernetes.scheduler.outside import Outside
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.profile import Rejection


class NotIn:
    """Keeps pods off the nodes that the configuration names."""

    name = "NotIn"

    def __init__(self, args: dict[str, Any]) -> None:
        self._nodes = args["nodes"]
        self.asked: list[str] = []

    def prepare(self, pod: PodEntry) -> str | None:
        return "pods named nowhere have no place" if pod.name == "nowhere" else ""

    def reject(self, pod: PodEntry, columns: Columns, row: int) -> Rejection | None:
        self.asked.append(columns.names[row])
        return ("node(s) were avoided", False) if columns.names[row] in self._nodes else None


class Favourite:
    name = "Favourite"

    def __init__(self, args: dict[str, Any]) -> None:
        self._node = args["node"]

    def score(self, pod: PodEntry, columns: Columns, code: array[int], out: array[int]) -> bool:
        out[columns.rows[self._node]] = 100
        return True


def cycle(name: str, args: dict[str, Any]) -> Cycle:
    outside = Outside({"NotIn": NotIn}, {"Favourite": Favourite})
    plugins = {"multiPoint": {"enabled": [{"name": name, "weight": 50}]}}
    document = {"profiles": [{"plugins": plugins, "pluginConfig": [{"name": name, "args": args}]}]}
    columns = Columns()
    for each in (node("a"), node("b"), node("full", cpu="1m")):
        columns.put_node(msgspec.json.decode(json.dumps(each).encode(), type=NodeObject))
    return Cycle(columns, decode(document, outside).profiles[0], Nominations())


def decide(found: Cycle, name: str = "web") -> str:
    entry = Interner().entry(msgspec.json.decode(json.dumps(pod(name)).encode(), type=PodObject))
    decision = found.decide(entry, SeededRandom(1))
    return decision.node if isinstance(decision, Placement) else decision.message


def test_a_filter_sees_only_nodes_that_are_left_and_names_its_reason() -> None:
    found = cycle("NotIn", {"nodes": ["a"]})
    assert decide(found) == "b"
    [plugin] = found.profile.late
    assert sorted(plugin.asked) == ["a", "b"]  # type: ignore[attr-defined]
    wanted = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were avoided."
    assert decide(cycle("NotIn", {"nodes": ["a", "b"]})) == wanted


def test_a_filter_may_reject_the_pod_as_such() -> None:
    found = cycle("NotIn", {"nodes": []})
    assert decide(found, "nowhere") == "0/3 nodes are available: pods named nowhere have no place."


def test_a_score_decides_between_possible_nodes() -> None:
    assert decide(cycle("Favourite", {"node": "a"})) == "a"
    assert decide(cycle("Favourite", {"node": "b"})) == "b"
