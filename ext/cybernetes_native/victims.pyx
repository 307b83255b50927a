"""Victims on all candidate nodes at once; see victims.pyi for the contract, cybernetes/native/victims.py for the plain form."""

ctypedef unsigned char u8
ctypedef long long i64

NEVER = 2**63 - 1

cdef i64 _NEVER = 9223372036854775807
cdef i64 _OFFSET = 2147483648
DEF WANTED_MAX = 32


cdef struct Cost:
    i64 violations
    i64 highest
    i64 total
    i64 count
    i64 earliest


def select(const u8[::1] code, const u8[::1] table, int[::1] rows):
    cdef Py_ssize_t row, count = 0
    with nogil:
        for row in range(code.shape[0]):
            if table[code[row]]:
                rows[count] = <int>row
                count += 1
    return count


def crowd(
    const int[::1] wanted,
    const i64[::1] wanted_amounts,
    Py_ssize_t stride,
    const i64[::1] allocatable,
    const i64[::1] used,
    const i64[::1] promised,
    u8 fit_code,
    int[::1] bits,
    u8[::1] code,
):
    cdef Py_ssize_t row, k, at
    cdef int found
    with nogil:
        for row in range(code.shape[0]):
            if (code[row] != 0 and code[row] != fit_code) or promised[row] == 0:
                continue
            found = 0
            for k in range(wanted.shape[0]):
                at = wanted[k] * stride + row
                if wanted_amounts[k] > allocatable[at] - used[at] - promised[at]:
                    found |= 1 << k
            bits[row] = found
            if found != 0:
                code[row] = fit_code


cdef bint _goes_before(int new, int old, const int[::1] priority, const i64[::1] started) noexcept nogil:
    """Whether a pod that came later is more important than one that came earlier."""
    if priority[new] != priority[old]:
        return priority[new] > priority[old]
    if started[new] != started[old]:
        return started[new] < started[old]
    return started[new] == _NEVER


cdef bint _is_better(Cost* new, Cost* old) noexcept nogil:
    if new.violations != old.violations:
        return new.violations < old.violations
    if new.highest != old.highest:
        return new.highest < old.highest
    if new.total != old.total:
        return new.total < old.total
    if new.count != old.count:
        return new.count < old.count
    return new.earliest > old.earliest


def choose(
    const int[::1] rows,
    Py_ssize_t count,
    Py_ssize_t first,
    Py_ssize_t enough,
    i64 limit,
    const int[::1] head,
    const int[::1] following,
    const int[::1] priority,
    const i64[::1] started,
    const int[::1] group,
    const i64[::1] amounts,
    Py_ssize_t slots,
    const int[::1] wanted,
    const i64[::1] wanted_amounts,
    Py_ssize_t stride,
    const i64[::1] allocatable,
    const i64[::1] used,
    const i64[::1] promised,
    const int[::1] group_start,
    const int[::1] group_budget,
    const i64[::1] allowed,
    i64[::1] counts,
    int[::1] scratch,
    i64[::1] left,
    int[::1] victims,
    i64[::1] cost,
):
    cdef Py_ssize_t n, at, j, k, b, size, kinds = wanted.shape[0], budgets = allowed.shape[0]
    cdef Py_ssize_t found = 0
    cdef int row, slot, best_row = -1
    cdef i64 free[WANTED_MAX]
    cdef bint lacking, fits, harmless = False
    cdef int now
    cdef Cost judged, best
    # Of each pod of the row: its slot, whether it breaks a budget, whether it goes.
    cdef int[::1] order = scratch[:slots]
    cdef int[::1] breaking = scratch[slots:2 * slots]
    cdef int[::1] gone = scratch[2 * slots:3 * slots]
    if kinds > WANTED_MAX:
        raise ValueError(f"{kinds} wanted resources; at most {WANTED_MAX}")
    best.violations = best.highest = best.total = best.count = best.earliest = 0
    with nogil:
        for n in range(count):
            row = rows[(first + n) % count]
            # In the order of importance: each goes to its place among those that came before it.
            size = 0
            slot = head[row]
            while slot >= 0:
                if priority[slot] < limit:
                    j = size
                    while j > 0 and _goes_before(slot, order[j - 1], priority, started):
                        order[j] = order[j - 1]
                        j -= 1
                    order[j] = slot
                    size += 1
                slot = following[slot]
            if size == 0:
                counts[0] += 1
                continue
            lacking = False
            for k in range(kinds):
                at = wanted[k] * stride + row
                free[k] = allocatable[at] - used[at] - promised[at]
                for j in range(size):
                    free[k] += amounts[wanted[k] * slots + order[j]]
                if wanted_amounts[k] > free[k]:
                    counts[k + 1] += 1
                    lacking = True
            if lacking:
                continue
            for b in range(budgets):
                left[b] = allowed[b]
            for j in range(size):
                breaking[j] = 0
                for at in range(group_start[group[order[j]]], group_start[group[order[j]] + 1]):
                    left[group_budget[at]] -= 1
                    if left[group_budget[at]] < 0:
                        breaking[j] = 1
            judged.violations = 0
            for now in range(1, -1, -1):
                for j in range(size):
                    if breaking[j] != now:
                        continue
                    fits = True
                    for k in range(kinds):
                        if wanted_amounts[k] > free[k] - amounts[wanted[k] * slots + order[j]]:
                            fits = False
                            break
                    gone[j] = 0 if fits else 1
                    if fits:
                        for k in range(kinds):
                            free[k] -= amounts[wanted[k] * slots + order[j]]
                    else:
                        judged.violations += now
            judged.highest = -_OFFSET
            judged.total = 0
            judged.count = 0
            judged.earliest = _NEVER
            for j in range(size):
                if gone[j]:
                    if judged.count == 0:
                        judged.highest = priority[order[j]]
                        judged.earliest = started[order[j]]
                    judged.total += priority[order[j]] + _OFFSET
                    judged.count += 1
            found += 1
            harmless = harmless or judged.violations == 0
            if best_row < 0 or _is_better(&judged, &best):
                best = judged
                best_row = row
                cost[0] = judged.violations
                cost[1] = judged.count
                k = 0
                for j in range(size):
                    if gone[j]:
                        victims[k] = order[j]
                        k += 1
            if harmless and found >= enough:
                break
    return best_row
