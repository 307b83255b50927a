"""The summary API: what a node and its containers use, and since when."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from cybernetes.kubelet import machine
from cybernetes.kubelet.runtime.api import Stats
from cybernetes.kubelet.serve.numbers import Numbers

NOW, STARTED, BOOTED = 1_800_000_000, 1_799_999_000, 1_799_000_000


def summary(folder: Path) -> dict[str, Any]:
    stats = Stats("c1", "u", "app", NOW * 10**9, 1, 2, 3, 4, 5, 6, 7, 8)
    facts = msgspec.structs.replace(machine.facts(folder, True), booted_at=BOOTED)

    async def rows() -> list[Stats]:
        return [stats]

    tools: Any = SimpleNamespace(
        clock=SimpleNamespace(now=lambda: float(NOW)),
        host=SimpleNamespace(usage=lambda: machine.usage(folder)),
        runtime=SimpleNamespace(stats=rows),
        facts=facts,
        config=SimpleNamespace(node_name="n"),
    )
    worker: Any = SimpleNamespace(
        pod={"metadata": {"name": "p", "namespace": "d", "uid": "u"}},
        status={"startTime": "2027-01-15T07:40:00Z"},
        observed=SimpleNamespace(containers=[SimpleNamespace(id="c1", started_at=STARTED * 10**9)]),
    )
    return asyncio.run(Numbers(tools, {"u": worker}).summary())


def test_what_runs_has_the_time_of_its_start(tmp_path: Path) -> None:
    found = summary(tmp_path)
    assert found["node"]["startTime"] == "2027-01-03T18:13:20Z"
    [container] = found["pods"][0]["containers"]
    assert (container["startTime"], container["cpu"]["time"]) == ("2027-01-15T07:43:20Z", "2027-01-15T08:00:00Z")


def test_a_nodes_memory_has_the_numbers_that_a_containers_has(tmp_path: Path) -> None:
    found = summary(tmp_path)
    memory = found["node"]["memory"]
    assert set(found["pods"][0]["containers"][0]["memory"]) < set(memory)
    assert 0 < memory["rssBytes"] < memory["workingSetBytes"] + memory["availableBytes"]
    assert 0 < memory["majorPageFaults"] < memory["pageFaults"]


def test_a_machine_knows_when_it_was_booted(tmp_path: Path) -> None:
    assert machine.facts(tmp_path, True).booted_at > 1_500_000_000
