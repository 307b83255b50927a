"""Filtering and scoring of all nodes: the plain form of `cybernetes_native/score.pyx`, the oracle of its tests.

enters   flat arrays with one element a node row ("column"), a label value or a domain ("table")
leaves   the same arrays, changed in place; a scalar where the sentence says so
types    B uint8, i int32, q int64, d double; all contiguous
holds    `code` is 0 where a node is still possible; a filter never changes a code that is not 0
         a column holds the id of a row's label value, -1 where the label is absent; tables are shifted by one:
         element 0 speaks of absence, element id + 1 of that value
         the number of rows is the length of `code`, `mask`, `eligible`, `acc` or `out`; columns may be longer
"""

from __future__ import annotations

import math
from collections.abc import MutableSequence, Sequence

Ints = Sequence[int]
Out = MutableSequence[int]
Floats = MutableSequence[float]


def fail_by_table(column: Ints, table: Ints, code: Out) -> None:
    """Where a node is possible, its code becomes the table's."""
    for row in range(len(code)):
        if code[row] == 0:
            code[row] = table[column[row] + 1]


def fail_by_mask(mask: Ints, value: int, code: Out) -> None:
    """Where a node is possible and the mask is 0, its code becomes `value`."""
    for row in range(len(code)):
        if code[row] == 0 and mask[row] == 0:
            code[row] = value


def fail_by_bits(bits: Ints, hard: Ints, soft_code: int, hard_code: int, code: Out) -> None:
    """Where a node is possible and has any bit, its code becomes `hard_code` where `hard` is set, else `soft_code`."""
    for row in range(len(code)):
        if code[row] == 0 and bits[row] != 0:
            code[row] = hard_code if hard[row] else soft_code


def and_by_table(column: Ints, table: Ints, mask: Out) -> None:
    for row in range(len(mask)):
        mask[row] &= table[column[row] + 1]


def or_mask(mask: Ints, into: Out) -> None:
    for row in range(len(into)):
        into[row] |= mask[row]


def and_mask(mask: Ints, into: Out) -> None:
    for row in range(len(into)):
        into[row] &= mask[row]


def mask_of_code(code: Ints, mask: Out) -> int:
    """mask = 1 where the code is 0; returns how many."""
    count = 0
    for row in range(len(code)):
        mask[row] = 1 if code[row] == 0 else 0
        count += mask[row]
    return count


def add_by_table(column: Ints, table: Ints, weight: int, out: Out) -> None:
    for row in range(len(out)):
        out[row] += table[column[row] + 1] * weight


def add_where(mask: Ints, weight: int, out: Out) -> None:
    for row in range(len(out)):
        if mask[row]:
            out[row] += weight


def add_scaled(source: Ints, weight: int, out: Out) -> None:
    for row in range(len(out)):
        out[row] += source[row] * weight


def sum_by_domain(counts: Ints, column: Ints, eligible: Ints, sums: Out) -> int:
    """sums[domain + 1] += counts[row] of all eligible rows in that domain; returns how much was added in all."""
    total = 0
    for row in range(len(eligible)):
        if eligible[row] and column[row] >= 0:
            sums[column[row] + 1] += counts[row]
            total += counts[row]
    return total


def mark_domains(column: Ints, eligible: Ints, present: Out) -> int:
    """present[domain + 1] = 1 for domains of eligible rows ([0]: rows without one); returns how many became 1."""
    found = 0
    for row in range(len(eligible)):
        if eligible[row] and not present[column[row] + 1]:
            present[column[row] + 1] = 1
            found += 1
    return found


def minimum(sums: Ints, present: Ints) -> int:
    """The smallest sum of a present domain; 2**31 - 1 when none is."""
    return min((sums[n] for n in range(1, len(sums)) if present[n]), default=2**31 - 1)


def skew_table(sums: Ints, offset: int, limit: int, fail: int, table: Out) -> None:
    """table = `fail` where sums + offset > limit, else 0; element 0 is left alone."""
    for n in range(1, len(sums)):
        table[n] = fail if sums[n] + offset > limit else 0


def positive_table(sums: Ints, if_positive: int, if_zero: int, table: Out) -> None:
    """table = `if_positive` where sums > 0, else `if_zero`; element 0 is left alone."""
    for n in range(1, len(sums)):
        table[n] = if_positive if sums[n] > 0 else if_zero


def fit_rows(
    rows: Ints, wanted: Ints, amounts: Ints, stride: int, allocatable: Ints, used: Ints, bits: Out, hard: Out
) -> None:
    """Which requested resources are missing on the given rows.

    rows         node rows to look at
    wanted       resource ids, shape (wants,), at most 31; the first is the count of pods
    amounts      requested amounts, > 0, shape (wants,)
    stride       allocatable and used are (resources, stride): element resource * stride + row
    bits         bit n set where wanted[n] is insufficient
    hard         1 where a request (never the count of pods) is larger than the whole allocatable
    overflow     none: amounts are below 2**63 and used + allocatable are sums of such that fit a machine
    """
    for row in rows:
        found, over = 0, 0
        for n in range(len(wanted)):
            at = wanted[n] * stride + row
            if amounts[n] > allocatable[at] - used[at]:
                found |= 1 << n
                if n > 0 and amounts[n] > allocatable[at]:
                    over = 1
        bits[row] = found
        hard[row] = over


LEAST, MOST, SHAPE = 0, 1, 2


def score_rows(
    rows: Ints,
    wanted: Ints,
    amounts: Ints,
    weights: Ints,
    stride: int,
    allocatable: Ints,
    used: Ints,
    mode: int,
    shape: Ints,
    out: Out,
) -> None:
    """NodeResourcesFit's score, 0..100, on the given rows.

    wanted, amounts, weights   resource ids, the pod's amounts, weights >= 1; shape (wants,)
    mode    LEAST, MOST, or SHAPE: piecewise linear in utilization
    shape   utilization, score pairs with rising utilization, scores 0..100; read only in mode SHAPE
    overflow  amount * 100 fits for allocatables up to 92 * 10**15
    """
    for row in rows:
        total, weight_sum = 0, 0
        for n in range(len(wanted)):
            at = wanted[n] * stride + row
            capacity = allocatable[at]
            if capacity == 0:
                continue
            request = used[at] + amounts[n]
            if mode == LEAST:
                score = 0 if request > capacity else (capacity - request) * 100 // capacity
            elif mode == MOST:
                score = min(request, capacity) * 100 // capacity
            else:
                score = _piecewise(shape, 100 if request > capacity else request * 100 // capacity)
                if score <= 0:
                    continue
            total += score * weights[n]
            weight_sum += weights[n]
        if weight_sum == 0:
            out[row] = 0
        elif mode == SHAPE:
            out[row] = math.floor(total / weight_sum + 0.5)
        else:
            out[row] = total // weight_sum


def _piecewise(shape: Ints, utilization: int) -> int:
    pairs = [(shape[n], shape[n + 1]) for n in range(0, len(shape), 2)]
    for n, (at, score) in enumerate(pairs):
        if utilization <= at:
            if n == 0:
                return score
            before, low = pairs[n - 1]
            return low + _truncated((score - low) * (utilization - before), at - before)
    return pairs[-1][1]


def _truncated(a: int, b: int) -> int:
    return -(-a // b) if a < 0 else a // b


def balance_rows(rows: Ints, wanted: Ints, amounts: Ints, stride: int, allocatable: Ints, used: Ints, out: Out) -> None:
    """NodeResourcesBalancedAllocation's score, 0..100, on the given rows: how much the pod evens out the fractions.

    wanted, amounts   resource ids and the pod's real requests, shape (wants,), 1..16
    """
    for row in rows:
        after = _balance(row, wanted, amounts, 1, stride, allocatable, used)
        before = _balance(row, wanted, amounts, 0, stride, allocatable, used)
        out[row] = 50 + _truncated(50 + after - before, 2)


def _balance(row: int, wanted: Ints, amounts: Ints, times: int, stride: int, allocatable: Ints, used: Ints) -> int:
    fractions = []
    for n in range(len(wanted)):
        at = wanted[n] * stride + row
        if allocatable[at] != 0:
            fractions.append(min(1.0, (used[at] + times * amounts[n]) / allocatable[at]))
    if len(fractions) == 2:
        deviation = abs((fractions[0] - fractions[1]) / 2)
    elif len(fractions) > 2:
        mean = sum(fractions) / len(fractions)
        deviation = math.sqrt(sum((each - mean) * (each - mean) for each in fractions) / len(fractions))
    else:
        deviation = 0.0
    return int((1 - deviation) * 100)


def spread_add(column: Ints, sums: Ints, weight: float, constant: float, acc: Floats) -> None:
    """acc += sums of the row's domain * weight + constant; rows without a domain are left out."""
    for row in range(len(acc)):
        if column[row] >= 0:
            acc[row] += sums[column[row] + 1] * weight + constant


def spread_add_own(column: Ints, counts: Ints, weight: float, constant: float, acc: Floats) -> None:
    """The same with the row's own count: a domain that is one node."""
    for row in range(len(acc)):
        if column[row] >= 0:
            acc[row] += counts[row] * weight + constant


def normalize_spread(acc: Sequence[float], code: Ints, counted: Ints, out: Out) -> None:
    """0..100 for possible and counted rows, the fewest pods highest; 0 for possible rows that don't count."""
    rounded = {row: math.floor(acc[row] + 0.5) for row in range(len(code)) if code[row] == 0 and counted[row]}
    if not rounded:
        return
    low, high = min(rounded.values()), max(0, *rounded.values())
    for row, raw in rounded.items():
        out[row] = 100 if high == 0 else 100 * (high + low - raw) // high


def normalize_share(raw: Ints, code: Ints, out: Out) -> int:
    """100 * raw / max over possible rows, 0 when the max is 0; returns the max."""
    high = max((raw[row] for row in range(len(code)) if code[row] == 0), default=0)
    for row in range(len(code)):
        if code[row] == 0:
            out[row] = 100 * raw[row] // high if high > 0 else 0
    return max(0, high)


def normalize_range(raw: Ints, code: Ints, out: Out) -> None:
    """100 * (raw - min) / (max - min) over possible rows, 0 when they are equal."""
    rows = [row for row in range(len(code)) if code[row] == 0]
    if not rows:
        return
    low, high = min(raw[row] for row in rows), max(raw[row] for row in rows)
    for row in rows:
        out[row] = int(100.0 * (float(raw[row] - low) / float(high - low))) if high > low else 0


def histogram(code: Ints, counts: Out) -> None:
    """counts[code] += 1; shape (256,)."""
    for row in range(len(code)):
        counts[code[row]] += 1


def bit_histogram(bits: Ints, code: Ints, first: int, last: int, counts: Out) -> None:
    """counts[bit] += 1 for every bit of the rows whose code is within first..last; shape (32,)."""
    for row in range(len(code)):
        if first <= code[row] <= last:
            for bit in range(32):
                if bits[row] >> bit & 1:
                    counts[bit] += 1


def best(total: Ints, code: Ints) -> int:
    """How many possible rows share the highest total."""
    high, count = 0, 0
    for row in range(len(code)):
        if code[row] == 0 and (count == 0 or total[row] >= high):
            count = count + 1 if count and total[row] == high else 1
            high = total[row]
    return count


def best_at(total: Ints, code: Ints, n: int) -> int:
    """The row of the n-th (from 0) possible row with the highest total; -1 when there are fewer."""
    rows = [row for row in range(len(code)) if code[row] == 0]
    high = max((total[row] for row in rows), default=0)
    found = [row for row in rows if total[row] == high]
    return found[n] if n < len(found) else -1


def first_possible(code: Ints) -> int:
    """The first row whose code is 0; -1 when there is none."""
    return next((row for row in range(len(code)) if code[row] == 0), -1)


def place(
    code: Ints,
    extra: Ints,
    added: Ints,
    added_amounts: Ints,
    wanted: Ints,
    amounts: Ints,
    scored: Ints,
    scored_amounts: Ints,
    weights: Ints,
    balanced: Ints,
    balanced_amounts: Ints,
    stride: int,
    allocatable: Ints,
    used: Out,
    mode: int,
    shape: Ints,
    bits: Out,
    hard: Out,
    score: Out,
    balance: Out,
    score_weight: int,
    balance_weight: int,
    chances: Ints,
    chosen: Out,
) -> None:
    """Place equal pods one after the other, each on a row with the highest total, counting each before the next.

    code           0 where everything but room allows the pod; extra: what else counts in the total, shape (rows,)
    added          resource ids that a pod takes from its row, and how much: `used` changes
    wanted, scored, balanced   as in fit_rows, score_rows, balance_rows, whose results in `bits`, `hard`, `score`,
                   `balance` are current for all rows at the start and at the end; balanced may be empty
    chances        random numbers >= 0, shape (pods,): the row is number chance % ties of those with the highest total
    chosen         shape (pods,): the row of each pod, -1 from the first on that has no place
    """
    for n in range(len(chosen)):
        chosen[n] = -1
    for n in range(len(chosen)):
        totals = {
            row: extra[row] + score[row] * score_weight + (balance[row] * balance_weight if len(balanced) else 0)
            for row in range(len(code))
            if code[row] == 0 and bits[row] == 0
        }
        if not totals:
            return
        high = max(totals.values())
        ties = [row for row, total in totals.items() if total == high]
        row = ties[chances[n] % len(ties)]
        chosen[n] = row
        for at in range(len(added)):
            used[added[at] * stride + row] += added_amounts[at]
        rows = (row,)
        fit_rows(rows, wanted, amounts, stride, allocatable, used, bits, hard)
        score_rows(rows, scored, scored_amounts, weights, stride, allocatable, used, mode, shape, score)
        if len(balanced):
            balance_rows(rows, balanced, balanced_amounts, stride, allocatable, used, balance)
