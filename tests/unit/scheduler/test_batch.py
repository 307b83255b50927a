"""Equal pods at once go where they would have gone one by one."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from memory_api import node, pod

from cybernetes.base.random import SeededRandom
from cybernetes.scheduler.batch import are_alike, is_plain, place
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.outcome import Placement
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.profile import Profile


class First(SeededRandom):
    """Always the first of equals, so that two ways of drawing give the same."""

    def below(self, limit: int) -> int:
        return 0


def cluster(seed: int) -> tuple[Columns, Cycle, Interner]:
    rng, columns, interner = random.Random(seed), Columns(), Interner()
    for n in range(12):
        made = node(f"n{n}", cpu=str(rng.randint(1, 4)), memory=f"{rng.randint(1, 8)}Gi", pods=str(rng.randint(2, 9)))
        made["status"]["images"] = [{"names": ["i:latest"], "sizeBytes": 700 << 20}] if rng.random() < 0.4 else []
        columns.put_node(msgspec.json.decode(json.dumps(made).encode(), type=NodeObject))
    return columns, Cycle(columns, Profile(), Nominations()), interner


def entries(interner: Interner, count: int, **fields: Any) -> list[PodEntry]:
    decode = msgspec.json.Decoder(PodObject).decode
    return [interner.entry(decode(json.dumps(pod(f"p{n}", **fields)).encode())) for n in range(count)]


@pytest.mark.parametrize("seed", range(8))
def test_a_batch_is_one_decision_after_the_other(seed: int) -> None:
    together, cycle, interner = cluster(seed)
    pods = entries(interner, 120, cpu="300m", memory="200Mi")
    assert is_plain(cycle, pods[0])
    placed = place(cycle, pods, First(1))
    for each, row in zip(pods, placed, strict=True):
        if row >= 0:
            together.add_counted(each, row)
    alone, single, interner = cluster(seed)
    wanted = []
    for each in entries(interner, 120, cpu="300m", memory="200Mi"):
        decision = single.decide(each, First(1))
        wanted.append(decision.node if isinstance(decision, Placement) else None)
        if isinstance(decision, Placement):
            alone.add_pod(each, decision.node)
    assert [together.names[row] if row >= 0 else None for row in placed] == wanted
    assert None in wanted
    assert together.used == alone.used


SPREAD = [
    {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
]
TERM = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
FAR = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}}
PORT = [{"name": "c", "ports": [{"containerPort": 1, "hostPort": 80}]}]


@pytest.mark.parametrize(
    "spec", [{"topologySpreadConstraints": SPREAD}, {"affinity": FAR}, {"containers": PORT}], ids=str
)
def test_pods_that_look_at_each_other_are_decided_one_by_one(spec: dict[str, Any]) -> None:
    _, cycle, interner = cluster(1)
    assert not is_plain(cycle, entries(interner, 1, **spec)[0])


def test_a_running_pod_that_keeps_others_away_ends_batches() -> None:
    columns, cycle, interner = cluster(1)
    plain, hermit = entries(interner, 1)[0], entries(interner, 1, affinity=FAR)[0]
    assert is_plain(cycle, plain)
    columns.add_pod(hermit, "n1")
    assert not is_plain(cycle, plain)


def test_only_pods_of_one_template_are_alike() -> None:
    _, _, interner = cluster(1)
    first, second = entries(interner, 2)
    assert are_alike(first, second)
    assert not are_alike(first, entries(interner, 1, cpu="2")[0])
