"""Order, backoff, parking, and which changes wake which pods."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from memory_api import node, pod

from cybernetes.scheduler.hints import Change, Kind, wants_retry
from cybernetes.scheduler.objects import NodeObject, PodObject
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.queue import UNSCHEDULABLE_LIMIT_S, Backoff, SchedulingQueue, Waiting

INTERNER = Interner()
FIT = frozenset(("NodeResourcesFit",))


def entry(name: str = "web", *, labels: dict[str, str] | None = None, **spec: Any) -> PodEntry:
    manifest = pod(name, **spec)
    if labels is not None:
        manifest["metadata"]["labels"] = labels
    return INTERNER.entry(msgspec.json.decode(json.dumps(manifest).encode(), type=PodObject))


def machine(name: str = "n", labels: dict[str, str] | None = None, **spec: Any) -> NodeObject:
    manifest = node(name, **spec)
    manifest["metadata"]["labels"].update(labels or {})
    return msgspec.json.decode(json.dumps(manifest).encode(), type=NodeObject)


def pop(queue: SchedulingQueue, now: float) -> str:
    waiting = queue.pop(now)
    return waiting.pod.name if waiting else ""


def popped(queue: SchedulingQueue, now: float) -> Waiting:
    waiting = queue.pop(now)
    assert waiting is not None
    return waiting


def test_the_more_important_comes_first_then_the_earlier() -> None:
    queue = SchedulingQueue()
    queue.add(entry("late", priority=1), 2.0)
    queue.add(entry("early", priority=1), 1.0)
    queue.add(entry("vip", priority=9), 3.0)
    assert [pop(queue, 4.0) for _ in range(4)] == ["vip", "early", "late", ""]


@pytest.mark.parametrize(("attempts", "wait_s"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (60, 10)])
def test_backoff_doubles_up_to_its_limit(attempts: int, wait_s: float) -> None:
    assert Backoff().after(attempts) == wait_s


def test_a_rejected_pod_waits_for_a_change_that_helps() -> None:
    queue = SchedulingQueue()
    queue.add(entry(), 0.0)
    queue.put_back(popped(queue, 0.0), FIT, 0.0)
    assert pop(queue, 100.0) == ""
    queue.on_change(Change(Kind.NODE_ADDED, None, machine(cpu="50m")), 100.0)
    assert pop(queue, 100.0) == ""
    queue.on_change(Change(Kind.NODE_ADDED, None, machine()), 100.0)
    assert pop(queue, 100.0) == "web"


def test_a_pod_in_backoff_comes_early_only_when_nothing_else_is_to_do() -> None:
    queue = SchedulingQueue()
    queue.add(entry(), 0.5)
    queue.put_back(popped(queue, 0.5), FIT, 0.5)
    queue.on_change(Change(Kind.POD_GONE, entry("old", nodeName="n")), 0.6)
    queue.add(entry("fresh"), 0.7)
    assert [pop(queue, 0.7), pop(queue, 0.7)] == ["fresh", "web"]


def test_after_an_error_the_whole_backoff_is_waited() -> None:
    queue = SchedulingQueue()
    queue.add(entry(), 0.0)
    queue.put_back_failed(popped(queue, 0.0), 0.0)
    assert pop(queue, 0.9) == ""
    assert queue.next_at() == 1.0
    assert pop(queue, 1.0) == "web"


def test_a_pod_that_no_change_moved_is_tried_after_five_minutes() -> None:
    queue = SchedulingQueue()
    queue.add(entry(), 0.0)
    queue.put_back(popped(queue, 0.0), FIT, 0.0)
    queue.flush(UNSCHEDULABLE_LIMIT_S)
    assert pop(queue, UNSCHEDULABLE_LIMIT_S) == ""
    queue.flush(UNSCHEDULABLE_LIMIT_S + 1)
    assert pop(queue, UNSCHEDULABLE_LIMIT_S + 1) == "web"


def test_a_gated_pod_never_comes_before_its_last_gate_is_gone() -> None:
    queue = SchedulingQueue()
    queue.add(entry(schedulingGates=[{"name": "a"}, {"name": "b"}]), 0.0)
    queue.flush(10_000.0)
    assert pop(queue, 10_000.0) == ""
    queue.add(entry(schedulingGates=[{"name": "b"}]), 10_000.0)
    assert pop(queue, 10_000.0) == ""
    queue.add(entry(), 10_000.0)
    assert pop(queue, 10_000.0) == "web"


def test_a_pod_that_waits_for_its_preemption_is_held() -> None:
    queue = SchedulingQueue()
    queue.add(entry(), 0.0)
    waiting = popped(queue, 0.0)
    waiting.held = True
    queue.put_back(waiting, FIT, 0.0)
    gone = Change(Kind.POD_GONE, entry("victim", nodeName="n"))
    queue.on_change(gone, 20.0)
    assert pop(queue, 20.0) == ""
    queue.unhold("shop/web")
    queue.on_change(gone, 20.0)
    assert pop(queue, 20.0) == "web"


def test_a_removed_pod_and_one_of_another_uid_are_forgotten() -> None:
    queue = SchedulingQueue()
    queue.add(entry(), 0.0)
    queue.remove("shop/web")
    assert pop(queue, 1.0) == ""
    assert len(queue) == 0


TERM = {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "zone"}
NEAR = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}}
FAR = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}}
SPREAD = [{**TERM, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]
TAINT = [{"key": "k", "value": "v", "effect": "NoSchedule"}]
DB = entry("db", labels={"app": "db"}, nodeName="n")
WEB = entry("other", nodeName="n")
PORT = [{"name": "c", "ports": [{"containerPort": 1, "hostPort": 80}]}]


@pytest.mark.parametrize(
    ("plugin", "spec", "change", "retried"),
    [
        ("NodeUnschedulable", {}, Change(Kind.NODE_ADDED, None, machine()), True),
        ("NodeUnschedulable", {}, Change(Kind.NODE_CHANGED, machine(unschedulable=True), machine()), True),
        ("NodeUnschedulable", {}, Change(Kind.NODE_CHANGED, machine(), machine()), False),
        ("TaintToleration", {}, Change(Kind.NODE_CHANGED, machine(taints=TAINT), machine()), True),
        ("TaintToleration", {}, Change(Kind.NODE_ADDED, None, machine(taints=TAINT)), False),
        ("NodeAffinity", {"nodeSelector": {"d": "ssd"}}, Change(Kind.NODE_ADDED, None, machine()), False),
        (
            "NodeAffinity",
            {"nodeSelector": {"d": "s"}},
            Change(Kind.NODE_CHANGED, machine(), machine("n", {"d": "s"})),
            True,
        ),
        ("NodePorts", {"containers": PORT}, Change(Kind.POD_GONE, entry("p", containers=PORT, nodeName="n")), True),
        ("NodePorts", {"containers": PORT}, Change(Kind.POD_GONE, WEB), False),
        ("NodeResourcesFit", {}, Change(Kind.POD_GONE, WEB), True),
        ("NodeResourcesFit", {}, Change(Kind.NODE_CHANGED, machine(), machine(pods="111")), True),
        ("NodeResourcesFit", {}, Change(Kind.NODE_CHANGED, machine(), machine()), False),
        ("PodTopologySpread", {"topologySpreadConstraints": SPREAD}, Change(Kind.POD_GONE, DB), True),
        ("PodTopologySpread", {"topologySpreadConstraints": SPREAD}, Change(Kind.POD_GONE, WEB), False),
        (
            "PodTopologySpread",
            {"topologySpreadConstraints": SPREAD},
            Change(Kind.NODE_ADDED, None, machine("n", {"zone": "a"})),
            True,
        ),
        ("PodTopologySpread", {"topologySpreadConstraints": SPREAD}, Change(Kind.NODE_ADDED, None, machine()), False),
        ("InterPodAffinity", {"affinity": NEAR}, Change(Kind.POD_ADDED, None, DB), True),
        ("InterPodAffinity", {"affinity": NEAR}, Change(Kind.POD_ADDED, None, WEB), False),
        ("InterPodAffinity", {"affinity": FAR}, Change(Kind.POD_GONE, DB), True),
        ("InterPodAffinity", {"affinity": FAR}, Change(Kind.POD_GONE, WEB), False),
        ("InterPodAffinity", {}, Change(Kind.POD_GONE, entry("foe", affinity=FAR, nodeName="n")), False),
        ("A plugin from outside", {}, Change(Kind.POD_GONE, WEB), True),
    ],
)
def test_hints(plugin: str, spec: dict[str, Any], change: Change, retried: bool) -> None:
    assert wants_retry(plugin, entry(**spec), change) is retried


def test_a_change_that_helps_against_two_rejections_moves_the_pod_once() -> None:
    queue = SchedulingQueue()
    queue.add(entry(), 0.0)
    queue.put_back(popped(queue, 0.0), frozenset(("NodeResourcesFit", "TaintToleration", "NodePorts")), 0.0)
    assert queue.on_change(Change(Kind.NODE_ADDED, None, machine()), 20.0) == 1
    assert [pop(queue, 20.0), pop(queue, 20.0)] == ["web", ""]


def test_a_pod_that_was_taken_but_not_tried_gets_its_old_place_back() -> None:
    queue = SchedulingQueue()
    queue.add(entry("first"), 0.0)
    queue.add(entry("second"), 1.0)
    queue.give_back(popped(queue, 2.0))
    assert [pop(queue, 2.0), pop(queue, 2.0)] == ["first", "second"]


def test_where_pods_wait_and_why_they_came_there_is_counted() -> None:
    queue = SchedulingQueue()
    queue.add(entry("gated", schedulingGates=[{"name": "wait"}]), 0.0)
    for name in ("a", "b", "c"):
        queue.add(entry(name), 0.0)
    queue.put_back(popped(queue, 0.0), FIT, 0.0)
    queue.put_back_failed(popped(queue, 0.0), 0.0)
    assert queue.pending() == {"active": 1, "backoff": 1, "unschedulable": 1, "gated": 1}
    queue.on_change(Change(Kind.NODE_ADDED, None, machine()), 0.5)
    assert queue.pending() == {"active": 1, "backoff": 2, "unschedulable": 0, "gated": 1}
    popped(queue, 5.0)
    assert queue.incoming == {
        ("PodAdd", "gated"): 1,
        ("PodAdd", "active"): 3,
        ("ScheduleAttemptFailure", "unschedulable"): 1,
        ("ScheduleAttemptFailure", "backoff"): 1,
        ("NodeAdd", "backoff"): 1,
        ("BackoffComplete", "active"): 2,
    }
