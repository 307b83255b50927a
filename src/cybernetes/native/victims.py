"""Who goes for whom, on all candidate nodes at once: the plain form of `cybernetes_native/victims.pyx`, the oracle of its tests.

A pod on a node has a slot. The slots of one row are a chain in the order in which the pods came: `head[row]`, then
`following[slot]`, -1 at the end. `priority`, `started` and `group` are by slot; `amounts[resource * slots + slot]` is what the
pod takes, `allocatable` and `used` are by `resource * stride + row`.

types     B uint8, i int32, q int64; all contiguous
overflow  amounts are at most 2**50, so a node's pods can be added up; a priority and 2**31 are at most 2**32
source    Kubernetes documentation "Pod Priority and Preemption"; order of preference: fewest broken budgets, lowest highest
          priority, smallest sum of priorities, fewest victims, latest start of the longest running of the highest, first
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

Ints = Sequence[int]
Out = MutableSequence[int]

# The start of a pod that has not started: after all others.
NEVER = 2**63 - 1
PRIORITY_OFFSET = 2**31


def select(code: Ints, table: Ints, rows: Out) -> int:
    """Write the rows whose code the table (256 elements) accepts, in order; returns how many."""
    count = 0
    for row in range(len(code)):
        if table[code[row]]:
            rows[count] = row
            count += 1
    return count


def crowd(
    wanted: Ints,
    wanted_amounts: Ints,
    stride: int,
    allocatable: Ints,
    used: Ints,
    promised: Ints,
    fit_code: int,
    bits: Out,
    code: Out,
) -> None:
    """Where a node is possible or lacks room, and something of it is promised: what is missing when that is taken too.

    promised  resource 0 counts pods; where it is 0 nothing is promised
    bits      bit k is set where wanted resource k is missing; the code then is `fit_code`
    """
    for row in range(len(code)):
        if code[row] not in (0, fit_code) or promised[row] == 0:
            continue
        found = 0
        for k, resource in enumerate(wanted):
            at = resource * stride + row
            if wanted_amounts[k] > allocatable[at] - used[at] - promised[at]:
                found |= 1 << k
        bits[row] = found
        if found:
            code[row] = fit_code


def choose(
    rows: Ints,
    count: int,
    first: int,
    enough: int,
    limit: int,
    head: Ints,
    following: Ints,
    priority: Ints,
    started: Ints,
    group: Ints,
    amounts: Ints,
    slots: int,
    wanted: Ints,
    wanted_amounts: Ints,
    stride: int,
    allocatable: Ints,
    used: Ints,
    promised: Ints,
    group_start: Ints,
    group_budget: Ints,
    allowed: Ints,
    counts: Out,
    scratch: Out,
    left: Out,
    victims: Out,
    cost: Out,
) -> int:
    """The best of the candidate rows; -1 when no node can be freed.

    rows, count, first  candidates are rows[:count], tried from `first` on, round
    enough              stop after so many candidates, once one of them breaks no budget
    limit               only pods of a lower priority may go
    wanted              resource ids and amounts of the pod that wants room, at most 32
    promised            what nominated pods will take, shape of `used`
    group_start         budgets of group g are group_budget[group_start[g]:group_start[g + 1]]
    allowed, left       by budget: how many more pods may go; `left` is scratch of the same length
    counts              out: nodes without lesser pods, then nodes that lack each wanted resource all the same
    scratch             3 * slots elements
    victims             out: slots, the most important first
    cost                out: broken budgets, number of victims
    """
    best: tuple[int, int, int, int, int] | None = None
    best_row, found, harmless = -1, 0, False
    for n in range(count):
        row = rows[(first + n) % count]
        order = [slot for slot in _chain(head[row], following) if priority[slot] < limit]
        if not order:
            counts[0] += 1
            continue
        free = []
        for resource in wanted:
            back = sum(amounts[resource * slots + slot] for slot in order)
            free.append(
                allocatable[resource * stride + row]
                - used[resource * stride + row]
                - promised[resource * stride + row]
                + back
            )
        missing = [k for k in range(len(wanted)) if wanted_amounts[k] > free[k]]
        for k in missing:
            counts[k + 1] += 1
        if missing:
            continue
        order = _by_importance(order, priority, started)
        breaking = _breaking(order, group, group_start, group_budget, allowed)
        gone = set()
        for now in (True, False):
            for slot in order:
                if (slot in breaking) is not now:
                    continue
                rest = [free[k] - amounts[resource * slots + slot] for k, resource in enumerate(wanted)]
                if any(wanted_amounts[k] > rest[k] for k in range(len(wanted))):
                    gone.add(slot)
                else:
                    free = rest
        chosen = [slot for slot in order if slot in gone]
        violations = len(gone & breaking)
        judged = (
            violations,
            priority[chosen[0]] if chosen else -PRIORITY_OFFSET,
            sum(priority[slot] + PRIORITY_OFFSET for slot in chosen),
            len(chosen),
            -started[chosen[0]] if chosen else -NEVER,
        )
        found += 1
        harmless = harmless or violations == 0
        if best is None or judged < best:
            best, best_row = judged, row
            cost[0], cost[1] = violations, len(chosen)
            for at, slot in enumerate(chosen):
                victims[at] = slot
        if harmless and found >= enough:
            break
    return best_row


def _chain(slot: int, following: Ints) -> list[int]:
    found = []
    while slot >= 0:
        found.append(slot)
        slot = following[slot]
    return found


def _by_importance(order: list[int], priority: Ints, started: Ints) -> list[int]:
    """Higher priority first, then the longer running; of equals the first to come, of unstarted ones the last."""
    ranked = [
        (-priority[slot], started[slot], -n if started[slot] == NEVER else n, slot) for n, slot in enumerate(order)
    ]
    return [slot for _, _, _, slot in sorted(ranked)]


def _breaking(order: list[int], group: Ints, start: Ints, budgets: Ints, allowed: Ints) -> set[int]:
    """Slots whose removal breaks a budget, when all go in this order."""
    left, breaking = list(allowed), set()
    for slot in order:
        for at in range(start[group[slot]], start[group[slot] + 1]):
            left[budgets[at]] -= 1
            if left[budgets[at]] < 0:
                breaking.add(slot)
    return breaking
