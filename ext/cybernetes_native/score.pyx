"""Filtering and scoring of all nodes over flat arrays; see score.pyi for the contract, cybernetes/native/score.py for the plain form."""

from libc.math cimport fabs, floor, sqrt

ctypedef unsigned char u8
ctypedef long long i64

LEAST, MOST, SHAPE = 0, 1, 2


def fail_by_table(const int[::1] column, const u8[::1] table, u8[::1] code):
    cdef Py_ssize_t row, rows = code.shape[0]
    with nogil:
        for row in range(rows):
            if code[row] == 0:
                code[row] = table[column[row] + 1]


def fail_by_mask(const u8[::1] mask, u8 value, u8[::1] code):
    cdef Py_ssize_t row, rows = code.shape[0]
    with nogil:
        for row in range(rows):
            if code[row] == 0 and mask[row] == 0:
                code[row] = value


def fail_by_bits(const int[::1] bits, const u8[::1] hard, u8 soft_code, u8 hard_code, u8[::1] code):
    cdef Py_ssize_t row, rows = code.shape[0]
    with nogil:
        for row in range(rows):
            if code[row] == 0 and bits[row] != 0:
                code[row] = hard_code if hard[row] else soft_code


def and_by_table(const int[::1] column, const u8[::1] table, u8[::1] mask):
    cdef Py_ssize_t row, rows = mask.shape[0]
    with nogil:
        for row in range(rows):
            mask[row] &= table[column[row] + 1]


def or_mask(const u8[::1] mask, u8[::1] into):
    cdef Py_ssize_t row, rows = into.shape[0]
    with nogil:
        for row in range(rows):
            into[row] |= mask[row]


def and_mask(const u8[::1] mask, u8[::1] into):
    cdef Py_ssize_t row, rows = into.shape[0]
    with nogil:
        for row in range(rows):
            into[row] &= mask[row]


def mask_of_code(const u8[::1] code, u8[::1] mask):
    cdef Py_ssize_t row, count = 0, rows = code.shape[0]
    with nogil:
        for row in range(rows):
            mask[row] = 1 if code[row] == 0 else 0
            count += mask[row]
    return count


def add_by_table(const int[::1] column, const i64[::1] table, i64 weight, i64[::1] out):
    cdef Py_ssize_t row, rows = out.shape[0]
    with nogil:
        for row in range(rows):
            out[row] += table[column[row] + 1] * weight


def add_where(const u8[::1] mask, i64 weight, i64[::1] out):
    cdef Py_ssize_t row, rows = out.shape[0]
    with nogil:
        for row in range(rows):
            if mask[row]:
                out[row] += weight


def add_scaled(const i64[::1] source, i64 weight, i64[::1] out):
    cdef Py_ssize_t row, rows = out.shape[0]
    with nogil:
        for row in range(rows):
            out[row] += source[row] * weight


def sum_by_domain(const int[::1] counts, const int[::1] column, const u8[::1] eligible, i64[::1] sums):
    cdef Py_ssize_t row, rows = eligible.shape[0]
    cdef i64 total = 0
    with nogil:
        for row in range(rows):
            if eligible[row] and column[row] >= 0:
                sums[column[row] + 1] += counts[row]
                total += counts[row]
    return total


def mark_domains(const int[::1] column, const u8[::1] eligible, u8[::1] present):
    cdef Py_ssize_t row, found = 0, rows = eligible.shape[0]
    with nogil:
        for row in range(rows):
            if eligible[row] and not present[column[row] + 1]:
                present[column[row] + 1] = 1
                found += 1
    return found


def minimum(const i64[::1] sums, const u8[::1] present):
    cdef Py_ssize_t n, domains = sums.shape[0]
    cdef i64 low = 2147483647
    with nogil:
        for n in range(1, domains):
            if present[n] and sums[n] < low:
                low = sums[n]
    return low


def skew_table(const i64[::1] sums, i64 offset, i64 limit, u8 fail, u8[::1] table):
    cdef Py_ssize_t n, domains = sums.shape[0]
    with nogil:
        for n in range(1, domains):
            table[n] = fail if sums[n] + offset > limit else 0


def positive_table(const i64[::1] sums, u8 if_positive, u8 if_zero, u8[::1] table):
    cdef Py_ssize_t n, domains = sums.shape[0]
    with nogil:
        for n in range(1, domains):
            table[n] = if_positive if sums[n] > 0 else if_zero


def fit_rows(const int[::1] rows, const int[::1] wanted, const i64[::1] amounts, Py_ssize_t stride,
             const i64[::1] allocatable, const i64[::1] used, int[::1] bits, u8[::1] hard):
    cdef Py_ssize_t each, count = rows.shape[0]
    with nogil:
        for each in range(count):
            fit_row(rows[each], wanted, amounts, stride, allocatable, used, bits, hard)


cdef void fit_row(Py_ssize_t row, const int[::1] wanted, const i64[::1] amounts, Py_ssize_t stride,
                  const i64[::1] allocatable, const i64[::1] used, int[::1] bits, u8[::1] hard) noexcept nogil:
    cdef Py_ssize_t at, n, wants = wanted.shape[0]
    cdef int found = 0
    cdef u8 over = 0
    for n in range(wants):
        at = wanted[n] * stride + row
        if amounts[n] > allocatable[at] - used[at]:
            found |= 1 << n
            if n > 0 and amounts[n] > allocatable[at]:
                over = 1
    bits[row] = found
    hard[row] = over


def score_rows(const int[::1] rows, const int[::1] wanted, const i64[::1] amounts, const i64[::1] weights,
               Py_ssize_t stride, const i64[::1] allocatable, const i64[::1] used, int mode, const i64[::1] shape,
               i64[::1] out):
    cdef Py_ssize_t each, count = rows.shape[0]
    with nogil:
        for each in range(count):
            out[rows[each]] = score_row(
                rows[each], wanted, amounts, weights, stride, allocatable, used, mode, shape
            )


cdef i64 score_row(Py_ssize_t row, const int[::1] wanted, const i64[::1] amounts, const i64[::1] weights,
                   Py_ssize_t stride, const i64[::1] allocatable, const i64[::1] used, int mode,
                   const i64[::1] shape) noexcept nogil:
    cdef Py_ssize_t at, n, wants = wanted.shape[0]
    cdef i64 capacity, request, score, total = 0, weight_sum = 0
    for n in range(wants):
        at = wanted[n] * stride + row
        capacity = allocatable[at]
        if capacity == 0:
            continue
        request = used[at] + amounts[n]
        if mode == 0:
            score = 0 if request > capacity else (capacity - request) * 100 // capacity
        elif mode == 1:
            score = (capacity if request > capacity else request) * 100 // capacity
        else:
            score = piecewise(shape, 100 if request > capacity else request * 100 // capacity)
            if score <= 0:
                continue
        total += score * weights[n]
        weight_sum += weights[n]
    if weight_sum == 0:
        return 0
    if mode == 2:
        return <i64>floor(<double>total / <double>weight_sum + 0.5)
    return total // weight_sum


cdef i64 piecewise(const i64[::1] shape, i64 utilization) noexcept nogil:
    cdef Py_ssize_t n, points = shape.shape[0] // 2
    for n in range(points):
        if utilization <= shape[2 * n]:
            if n == 0:
                return shape[1]
            return shape[2 * n - 1] + (shape[2 * n + 1] - shape[2 * n - 1]) * (utilization - shape[2 * n - 2]) // (
                shape[2 * n] - shape[2 * n - 2]
            )
    return shape[2 * points - 1]


def balance_rows(const int[::1] rows, const int[::1] wanted, const i64[::1] amounts, Py_ssize_t stride,
                 const i64[::1] allocatable, const i64[::1] used, i64[::1] out):
    cdef Py_ssize_t each, count = rows.shape[0]
    with nogil:
        for each in range(count):
            out[rows[each]] = balance_row(rows[each], wanted, amounts, stride, allocatable, used)


cdef i64 balance_row(Py_ssize_t row, const int[::1] wanted, const i64[::1] amounts, Py_ssize_t stride,
                     const i64[::1] allocatable, const i64[::1] used) noexcept nogil:
    cdef i64 after = evenness(row, wanted, amounts, 1, stride, allocatable, used)
    cdef i64 before = evenness(row, wanted, amounts, 0, stride, allocatable, used)
    return 50 + (50 + after - before) // 2


cdef i64 evenness(Py_ssize_t row, const int[::1] wanted, const i64[::1] amounts, i64 times, Py_ssize_t stride,
                  const i64[::1] allocatable, const i64[::1] used) noexcept nogil:
    cdef double[16] fractions
    cdef double mean, deviation
    cdef Py_ssize_t at, n, found = 0, wants = wanted.shape[0]
    for n in range(wants):
        at = wanted[n] * stride + row
        if allocatable[at] != 0:
            fractions[found] = <double>(used[at] + times * amounts[n]) / <double>allocatable[at]
            if fractions[found] > 1.0:
                fractions[found] = 1.0
            found += 1
    deviation = 0.0
    if found == 2:
        deviation = fabs((fractions[0] - fractions[1]) / 2)
    elif found > 2:
        mean = 0.0
        for n in range(found):
            mean += fractions[n]
        mean /= found
        for n in range(found):
            deviation += (fractions[n] - mean) * (fractions[n] - mean)
        deviation = sqrt(deviation / found)
    return <i64>((1 - deviation) * 100)


def spread_add(const int[::1] column, const i64[::1] sums, double weight, double constant, double[::1] acc):
    cdef Py_ssize_t row, rows = acc.shape[0]
    cdef double more
    with nogil:
        for row in range(rows):
            if column[row] >= 0:
                more = sums[column[row] + 1] * weight
                acc[row] += more + constant


def spread_add_own(const int[::1] column, const int[::1] counts, double weight, double constant, double[::1] acc):
    cdef Py_ssize_t row, rows = acc.shape[0]
    cdef double more
    with nogil:
        for row in range(rows):
            if column[row] >= 0:
                more = counts[row] * weight
                acc[row] += more + constant


def normalize_spread(const double[::1] acc, const u8[::1] code, const u8[::1] counted, i64[::1] out):
    cdef Py_ssize_t row, rows = code.shape[0]
    cdef i64 high = 0, low = 9223372036854775807, raw
    with nogil:
        for row in range(rows):
            if code[row] == 0 and counted[row]:
                raw = <i64>floor(acc[row] + 0.5)
                out[row] = raw
                if raw > high:
                    high = raw
                if raw < low:
                    low = raw
        for row in range(rows):
            if code[row] == 0 and counted[row]:
                out[row] = 100 if high == 0 else 100 * (high + low - out[row]) // high


def normalize_share(const i64[::1] raw, const u8[::1] code, i64[::1] out):
    cdef Py_ssize_t row, rows = code.shape[0]
    cdef i64 high = 0
    with nogil:
        for row in range(rows):
            if code[row] == 0 and raw[row] > high:
                high = raw[row]
        for row in range(rows):
            if code[row] == 0:
                out[row] = 100 * raw[row] // high if high > 0 else 0
    return high


def normalize_range(const i64[::1] raw, const u8[::1] code, i64[::1] out):
    cdef Py_ssize_t row, rows = code.shape[0]
    cdef i64 high = -9223372036854775807, low = 9223372036854775807
    with nogil:
        for row in range(rows):
            if code[row] == 0:
                if raw[row] > high:
                    high = raw[row]
                if raw[row] < low:
                    low = raw[row]
        for row in range(rows):
            if code[row] == 0:
                out[row] = <i64>(100.0 * (<double>(raw[row] - low) / <double>(high - low))) if high > low else 0


def histogram(const u8[::1] code, int[::1] counts):
    cdef Py_ssize_t row, rows = code.shape[0]
    with nogil:
        for row in range(rows):
            counts[code[row]] += 1


def bit_histogram(const int[::1] bits, const u8[::1] code, u8 first, u8 last, int[::1] counts):
    cdef Py_ssize_t row, rows = code.shape[0]
    cdef int bit
    with nogil:
        for row in range(rows):
            if first <= code[row] <= last and bits[row] != 0:
                for bit in range(32):
                    if bits[row] >> bit & 1:
                        counts[bit] += 1


def best(const i64[::1] total, const u8[::1] code):
    cdef Py_ssize_t row, count = 0, rows = code.shape[0]
    cdef i64 high = 0
    with nogil:
        for row in range(rows):
            if code[row] == 0:
                if count == 0 or total[row] > high:
                    high = total[row]
                    count = 1
                elif total[row] == high:
                    count += 1
    return count


def best_at(const i64[::1] total, const u8[::1] code, Py_ssize_t n):
    cdef Py_ssize_t row, found = -1, count = 0, rows = code.shape[0]
    cdef i64 high = 0
    with nogil:
        for row in range(rows):
            if code[row] == 0 and (count == 0 or total[row] > high):
                high = total[row]
                count = 1
        for row in range(rows):
            if code[row] == 0 and total[row] == high:
                if n == 0:
                    found = row
                    break
                n -= 1
    return found


def first_possible(const u8[::1] code):
    cdef Py_ssize_t row, rows = code.shape[0]
    for row in range(rows):
        if code[row] == 0:
            return row
    return -1


def place(const u8[::1] code, const i64[::1] extra, const int[::1] added, const i64[::1] added_amounts,
          const int[::1] wanted, const i64[::1] amounts, const int[::1] scored, const i64[::1] scored_amounts,
          const i64[::1] weights, const int[::1] balanced, const i64[::1] balanced_amounts, Py_ssize_t stride,
          const i64[::1] allocatable, i64[::1] used, int mode, const i64[::1] shape, int[::1] bits, u8[::1] hard,
          i64[::1] score, i64[::1] balance, i64 score_weight, i64 balance_weight, const i64[::1] chances,
          int[::1] chosen):
    cdef Py_ssize_t at, n, row, pods = chosen.shape[0], adds = added.shape[0]
    cdef bint even = balanced.shape[0] > 0
    for n in range(pods):
        chosen[n] = -1
    with nogil:
        for n in range(pods):
            row = best_row(code, extra, bits, score, balance, even, score_weight, balance_weight, chances[n])
            if row < 0:
                break
            chosen[n] = <int>row
            for at in range(adds):
                used[added[at] * stride + row] += added_amounts[at]
            fit_row(row, wanted, amounts, stride, allocatable, used, bits, hard)
            score[row] = score_row(row, scored, scored_amounts, weights, stride, allocatable, used, mode, shape)
            if even:
                balance[row] = balance_row(row, balanced, balanced_amounts, stride, allocatable, used)


cdef Py_ssize_t best_row(const u8[::1] code, const i64[::1] extra, const int[::1] bits, const i64[::1] score,
                         const i64[::1] balance, bint even, i64 score_weight, i64 balance_weight,
                         i64 chance) noexcept nogil:
    """The chance-th of the rows with the highest total, counted around; -1 when no row is possible."""
    cdef Py_ssize_t row, ties = 0, rows = code.shape[0]
    cdef i64 high = 0, total
    for row in range(rows):
        if code[row] == 0 and bits[row] == 0:
            total = extra[row] + score[row] * score_weight
            if even:
                total += balance[row] * balance_weight
            if ties == 0 or total > high:
                high = total
                ties = 1
            elif total == high:
                ties += 1
    if ties == 0:
        return -1
    chance = chance % ties
    for row in range(rows):
        if code[row] == 0 and bits[row] == 0:
            total = extra[row] + score[row] * score_weight
            if even:
                total += balance[row] * balance_weight
            if total == high:
                if chance == 0:
                    return row
                chance -= 1
    return -1
