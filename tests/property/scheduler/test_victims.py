"""The choice of victims: the kernel gives what its twin gives, and both what looking at each node with all filters gives."""

from __future__ import annotations

import copy
import random
from array import array
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.base.random import SeededRandom
from cybernetes.native import victims as twin
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.cycle import Cycle
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import Metadata, NodeObject, NodeStatus, PodObject, PodSpec, PodStatus
from cybernetes.scheduler.outcome import Unschedulable
from cybernetes.scheduler.pods import Interner, PodEntry
from cybernetes.scheduler.preempt import _dry_run, _tried, pick, preempt
from cybernetes.scheduler.profile import PreemptionArgs, Profile
from cybernetes.scheduler.selectors import Requirement
from cybernetes.scheduler.victims import Budget, Candidate, choose

compiled = pytest.importorskip("cybernetes_native.victims", reason="the kernels are not built")

HIGH = 2**31 - 1
AMOUNT = 2**50


def arguments(seed: int) -> dict[str, Any]:
    """A cluster as the kernel sees it, at the ends of each type now and then."""
    rng = random.Random(seed)
    rows, slots, kinds = rng.choice((1, 3, 20)), rng.choice((1, 8, 60)), rng.choice((1, 2, 4))
    budgets, groups = rng.choice((0, 1, 3)), rng.choice((1, 4))
    stride = rows + rng.choice((0, 2))
    head, following = array("i", [-1]) * stride, array("i", [-1]) * slots
    taken = list(range(slots))
    rng.shuffle(taken)
    for slot in taken[: rng.randint(0, slots)]:
        row = rng.randrange(rows)
        following[slot], head[row] = head[row], slot
    large = rng.choice((4, AMOUNT))
    members = [sorted(rng.sample(range(budgets), rng.randint(0, budgets))) for _ in range(groups)]
    starts = array("i", [0])
    for each in members:
        starts.append(starts[-1] + len(each))

    def amounts(count: int, most: int) -> array[int]:
        return array("q", [rng.choice((0, 1, most, rng.randint(0, most))) for _ in range(count)])

    return {
        "rows": array("i", rng.sample(range(rows), rows)),
        "count": rng.randint(1, rows),
        "first": rng.randrange(rows),
        "enough": rng.randint(1, rows),
        "limit": rng.choice((0, 3, HIGH)),
        "head": head,
        "following": following,
        "priority": array("i", [rng.choice((-(2**31), 0, 1, 2, 3, HIGH)) for _ in range(slots)]),
        "started": array("q", [rng.choice((0, 1, 2, twin.NEVER)) for _ in range(slots)]),
        "group": array("i", [rng.randrange(groups) for _ in range(slots)]),
        "amounts": amounts(kinds * slots, large),
        "slots": slots,
        "wanted": array("i", range(kinds)),
        "wanted_amounts": amounts(kinds, large),
        "stride": stride,
        "allocatable": amounts(kinds * stride, large),
        "used": amounts(kinds * stride, large),
        "promised": amounts(kinds * stride, large),
        "group_start": starts,
        "group_budget": array("i", [each for some in members for each in some]),
        "allowed": array("q", [rng.randint(-1, 3) for _ in range(budgets)]),
        "counts": array("q", bytes(8 * (kinds + 1))),
        "scratch": array("i", bytes(12 * slots)),
        "left": array("q", bytes(8 * budgets)),
        "victims": array("i", bytes(4 * slots)),
        "cost": array("q", [0, 0]),
    }


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_the_kernel_gives_what_the_twin_gives(seed: int) -> None:
    ours = arguments(seed)
    theirs = copy.deepcopy(ours)
    found = compiled.choose(*ours.values())
    assert found == twin.choose(*theirs.values())
    assert ours["counts"] == theirs["counts"]
    if found >= 0:
        assert ours["cost"] == theirs["cost"]
        assert ours["victims"][: ours["cost"][1]] == theirs["victims"][: theirs["cost"][1]]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_what_is_promised_is_missing_alike(seed: int) -> None:
    rng, given = random.Random(seed), arguments(seed)
    names = ("wanted", "wanted_amounts", "stride", "allocatable", "used", "promised")
    rows = rng.randint(0, given["stride"])
    code = array("B", [rng.choice((0, 7, 8, 255)) for _ in range(rows)])
    ours = [array("i", [rng.randint(0, 3) for _ in range(rows)]), code]
    theirs = copy.deepcopy(ours)
    compiled.crowd(*(given[each] for each in names), 7, *ours)
    twin.crowd(*(given[each] for each in names), 7, *theirs)
    assert ours == theirs


def test_more_kinds_of_resources_than_the_kernel_has_room_for_are_an_error() -> None:
    given = arguments(1) | {"wanted": array("i", range(33))}
    with pytest.raises(ValueError, match="33 wanted resources"):
        compiled.choose(*given.values())


@given(st.binary(max_size=300), st.binary(min_size=256, max_size=256))
def test_rows_are_selected_alike(code: bytes, table: bytes) -> None:
    ours, theirs = array("i", bytes(4 * len(code))), array("i", bytes(4 * len(code)))
    assert compiled.select(code, table, ours) == twin.select(code, table, theirs)
    assert ours == theirs


INTERNER = Interner()
LABELS = ({}, {"app": "a"}, {"app": "b"})


def _pod(rng: random.Random, name: str, priority: int) -> PodEntry:
    meta = Metadata(name=name, namespace=rng.choice(("x", "y")), uid=name, labels=dict(rng.choice(LABELS)))
    cpu = rng.choice(("100m", "300m", "500m"))
    spec = {"priority": priority, "containers": [{"resources": {"requests": {"cpu": cpu}}}]}
    status = PodStatus(start_time=rng.choice((None, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")))
    return INTERNER.entry(PodObject(meta, msgspec.convert(spec, PodSpec), status))


def _cluster(rng: random.Random) -> tuple[Cycle, list[PodEntry]]:
    columns, nominations, placed = Columns(), Nominations(), []
    for n in range(rng.choice((1, 4, 9))):
        room = {"cpu": rng.choice(("1", "2")), "pods": rng.choice(("3", "110"))}
        columns.put_node(NodeObject(Metadata(name=f"n{n}"), status=NodeStatus(allocatable=room)))
        for each in range(rng.randint(0, 6)):
            pod = _pod(rng, f"p{n}-{each}", rng.randint(0, 3))
            columns.add_pod(pod, f"n{n}")
            placed.append(pod)
            if each == 2:
                # From here on the arrays follow every change.
                assert columns.residents.slot_of
    for pod in rng.sample(placed, len(placed) // 4):
        columns.remove_pod(pod, next(columns.names[row] for row, pods in enumerate(columns.pods) if pod.key in pods))
        placed.remove(pod)
    for n in range(rng.randint(0, 2)):
        nominations.put(_pod(rng, f"nominated-{n}", rng.randint(0, 5)), "n0")
    return Cycle(columns, Profile(), nominations), placed


def _budget(rng: random.Random, placed: list[PodEntry]) -> Budget:
    named = frozenset(each.name for each in rng.sample(placed, min(len(placed), rng.randint(0, 2))))
    selector = rng.choice((None, (Requirement("app", "In", ("a",)),), (Requirement("app", "Exists", ()),)))
    return Budget(rng.choice(("x", "y")), selector, rng.randint(0, 2), named)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_arithmetic_chooses_what_the_filters_choose(seed: int) -> None:
    rng = random.Random(seed)
    cycle, placed = _cluster(rng)
    budgets = [_budget(rng, placed) for _ in range(rng.randint(0, 3))]
    pod = _pod(rng, "asking", rng.randint(1, 4))
    decision = cycle.decide(pod, SeededRandom(1))
    if not isinstance(decision, Unschedulable) or decision.filtered is None:
        return
    tried = _tried(decision.filtered, PreemptionArgs(), SeededRandom(seed))
    before = cycle.columns.used[:], [list(each) for each in cycle.columns.pods]
    quick = choose(cycle, pod, tried, budgets)
    found, reasons = _dry_run(cycle, pod, tried, budgets)
    assert quick == (pick(found) if found else reasons)
    assert before == (cycle.columns.used, [list(each) for each in cycle.columns.pods])
    # Also after a dry run has taken pods away and put them back.
    assert choose(cycle, pod, tried, budgets) == quick
    if isinstance(quick, Candidate):
        assert preempt(cycle, pod, decision.filtered, budgets, SeededRandom(seed)) == quick
