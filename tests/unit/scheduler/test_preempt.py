"""Who goes for whom, and on which node."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from memory_api import node, pod

from cybernetes.base.random import SeededRandom
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.outcome import Placement
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.preempt import (
    NEVER,
    TERMINATING,
    Refusal,
    by_importance,
    pick,
    preempt,
)
from cybernetes.scheduler.profile import Profile
from cybernetes.scheduler.selectors import Requirement
from cybernetes.scheduler.victims import Budget, Candidate

INTERNER = Interner()


def entry(name: str, *, started: str = "", status: Any = None, meta: Any = None, **spec: Any) -> PodEntry:
    manifest = pod(name, **spec)
    manifest["metadata"].update(meta or {})
    manifest["status"] = {**({"startTime": started} if started else {}), **(status or {})}
    return INTERNER.entry(msgspec.json.decode(json.dumps(manifest).encode(), type=PodObject))


def cluster(**pods: list[PodEntry]) -> Cycle:
    """A node of one cpu for each keyword, with these pods."""
    columns = Columns()
    for name, each in pods.items():
        columns.put_node(msgspec.json.decode(json.dumps(node(name, cpu="1")).encode(), type=NodeObject))
        for running in each:
            columns.add_pod(running, name)
    return Cycle(columns, Profile(), Nominations())


def outcome(cycle: Cycle, asked: PodEntry, *budgets: Budget) -> Candidate | Refusal:
    decision = cycle.decide(asked, SeededRandom(1))
    assert not isinstance(decision, Placement)
    assert decision.filtered is not None
    before = cycle.columns.used[:]
    found = preempt(cycle, asked, decision.filtered, list(budgets), SeededRandom(1))
    assert cycle.columns.used == before
    return found


def victims(found: Candidate | Refusal) -> tuple[str, list[str]]:
    assert isinstance(found, Candidate), found
    return found.node, [victim.name for victim in found.victims]


def test_only_as_many_as_needed_go_and_the_least_important_first() -> None:
    running = [
        entry("old", cpu="300m", priority=1, started="2026-01-01T00:00:00Z"),
        entry("new", cpu="300m", priority=1, started="2026-01-02T00:00:00Z"),
        entry("higher", cpu="300m", priority=2, started="2026-01-03T00:00:00Z"),
    ]
    assert victims(outcome(cluster(a=running), entry("vip", cpu="400m", priority=9))) == ("a", ["new"])
    assert victims(outcome(cluster(a=running), entry("vip", cpu="700m", priority=9))) == ("a", ["old", "new"])


def test_pods_of_the_same_priority_stay() -> None:
    found = outcome(cluster(a=[entry("peer", cpu="900m", priority=9)]), entry("vip", cpu="400m", priority=9))
    assert isinstance(found, Refusal)
    assert found.words == "0/1 nodes are available: 1 No preemption victims found for incoming pod."


def test_budgets_are_kept_where_another_pod_can_go() -> None:
    web = entry("web", cpu="500m", priority=1, meta={"labels": {"app": "web"}}, started="2026-01-02T00:00:00Z")
    job = entry("job", cpu="500m", priority=1, meta={"labels": {"app": "job"}}, started="2026-01-01T00:00:00Z")
    asked = entry("vip", cpu="500m", priority=9)
    budget = Budget("shop", (Requirement("app", "In", ("web",)),), allowed=0)
    assert victims(outcome(cluster(a=[web, job]), asked)) == ("a", ["web"])
    assert victims(outcome(cluster(a=[web, job]), asked, budget)) == ("a", ["job"])
    counted = Budget("shop", budget.selector, allowed=0, disrupted=frozenset(["web"]))
    assert victims(outcome(cluster(a=[web, job]), asked, counted)) == ("a", ["web"])


def test_the_node_with_the_least_harm_is_chosen() -> None:
    low, high = entry("low", priority=1), entry("high", priority=5)
    early = entry("early", priority=1, started="2026-01-01T00:00:00Z")
    late = entry("late", priority=1, started="2026-01-02T00:00:00Z")
    assert pick([Candidate("a", (low,), 1), Candidate("b", (high,), 0)]).node == "b"
    assert pick([Candidate("a", (high,), 0), Candidate("b", (low, low), 0)]).node == "b"
    assert pick([Candidate("a", (low, low), 0), Candidate("b", (low,), 0)]).node == "b"
    assert pick([Candidate("a", (early,), 0), Candidate("b", (late,), 0)]).node == "b"
    assert pick([Candidate("a", (late,), 0), Candidate("b", (late,), 0)]).node == "a"


def test_who_may_not_preempt_says_so() -> None:
    running = [entry("low", cpu="900m", priority=1)]
    polite = entry("polite", cpu="500m", priority=9, preemptionPolicy="Never")
    assert outcome(cluster(a=running), polite) == Refusal(NEVER, keep_nomination=True)


def test_who_waits_for_victims_takes_no_more() -> None:
    mark = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    going = entry(
        "going",
        cpu="900m",
        priority=1,
        status={"conditions": [mark]},
        meta={"deletionTimestamp": "2026-01-01T00:00:00Z"},
    )
    waiting = entry("vip", cpu="500m", priority=9, status={"nominatedNodeName": "a"})
    other = [entry("low", cpu="900m", priority=1)]
    assert outcome(cluster(a=[going], b=other), waiting) == Refusal(TERMINATING, keep_nomination=True)


def test_importance() -> None:
    same = "2026-01-01T00:00:00Z"
    pods = [
        entry("young", started="2026-02-01T00:00:00Z"),
        entry("first", started=same),
        entry("second", started=same),
        entry("waiting-1"),
        entry("waiting-2"),
        entry("vip", priority=3),
    ]
    names = [each.name for each in by_importance(pods)]
    assert names == ["vip", "first", "second", "young", "waiting-2", "waiting-1"]
