"""InterPodAffinity: near to some pods, away from others, and what pods that already run demand of newcomers.

source  Kubernetes documentation "Assigning Pods to Nodes", inter-pod affinity and anti-affinity
"""

from __future__ import annotations

from array import array

import msgspec

from cybernetes.native import load
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.plugins.standing import Standing
from cybernetes.scheduler.pods import PodEntry, Term, Terms, term_accepts, terms_of
from cybernetes.scheduler.reasons import EXISTING_ANTI_AFFINITY, POD_AFFINITY, POD_ANTI_AFFINITY
from cybernetes.scheduler.tallies import Selection, Tally

kernels = load("score")


class InterPodArgs(msgspec.Struct, frozen=True):
    hard_weight: int = 1
    ignore_preferred_of_existing: bool = False


def filter_interpod(columns: Columns, standing: Standing, pod: PodEntry, code: array[int]) -> None:
    terms = terms_of(pod)
    everywhere = standing.eligible_for(columns, (), False, False)
    if terms.required:
        _filter_affinity(columns, everywhere, pod, terms.required, code)
    for term in terms.required_anti:
        tally = columns.tallies.count(Selection((_plain(term),)))
        _fail_where(columns, everywhere, term.topology_key, tally, POD_ANTI_AFFINITY, code)
    for carried in columns.tallies.carried("required_anti", pod.label_set):
        _fail_where(columns, everywhere, carried.term.topology_key, carried.tally, EXISTING_ANTI_AFFINITY, code)


def score_interpod(
    columns: Columns, standing: Standing, pod: PodEntry, args: InterPodArgs, code: array[int]
) -> array[int] | None:
    """0..100 for possible nodes; None when no pod anywhere counts for or against a node."""
    terms = terms_of(pod)
    if args.ignore_preferred_of_existing and not terms.preferred and not terms.preferred_anti:
        return None
    weighed = _weighed(columns, pod, terms, args)
    if not weighed:
        return None
    everywhere = standing.eligible_for(columns, (), False, False)
    raw = array("q", bytes(8 * len(code)))
    counted = 0
    for key, tally, weight in weighed:
        label, sums, total = _by_domain(columns, everywhere, key, tally)
        counted += total
        if total:
            kernels.add_by_table(label, sums, weight, raw)
    if not counted:
        return None
    out = array("q", bytes(8 * len(code)))
    kernels.normalize_range(raw, code, out)
    return out


def _weighed(columns: Columns, pod: PodEntry, terms: Terms, args: InterPodArgs) -> list[tuple[str, Tally, int]]:
    """(topology key, pods by row, weight each)."""
    tallies = columns.tallies
    found = [(each.topology_key, tallies.count(Selection((_plain(each),))), each.weight) for each in terms.preferred]
    found += [
        (each.topology_key, tallies.count(Selection((_plain(each),))), -each.weight) for each in terms.preferred_anti
    ]
    if args.hard_weight > 0:
        for carried in tallies.carried("required", pod.label_set):
            found.append((carried.term.topology_key, carried.tally, args.hard_weight))
    if not args.ignore_preferred_of_existing:
        for carried in tallies.carried("preferred", pod.label_set):
            found.append((carried.term.topology_key, carried.tally, carried.term.weight))
        for carried in tallies.carried("preferred_anti", pod.label_set):
            found.append((carried.term.topology_key, carried.tally, -carried.term.weight))
    return [each for each in found if each[1].total]


def _plain(term: Term) -> Term:
    """What a term selects, without topology and weight, so that it is counted once for all of them."""
    return msgspec.structs.replace(term, topology_key="", weight=0)


def _filter_affinity(
    columns: Columns, everywhere: array[int], pod: PodEntry, required: tuple[Term, ...], code: array[int]
) -> None:
    """Each term needs a pod in the node's domain that matches all terms, except for the first of a series."""
    tally = columns.tallies.count(Selection(tuple(sorted({_plain(each) for each in required}, key=repr))))
    domains = [_by_domain(columns, everywhere, each.topology_key, tally) for each in required]
    alone = not any(total for _, _, total in domains) and _matches_itself(columns, pod, required)
    for column, sums, _ in domains:
        table = bytearray(len(sums))
        table[0] = POD_AFFINITY
        kernels.positive_table(sums, 0, 0 if alone else POD_AFFINITY, table)
        kernels.fail_by_table(column, table, code)


def _matches_itself(columns: Columns, pod: PodEntry, required: tuple[Term, ...]) -> bool:
    labels = columns.tallies.namespace_labels(pod.namespace)
    return all(term_accepts(term, pod.label_set, labels) for term in required)


def _fail_where(columns: Columns, everywhere: array[int], key: str, tally: Tally, value: int, code: array[int]) -> None:
    """Reject the nodes of every domain that holds a counted pod; nodes without the label are not touched."""
    if not tally.total:
        return
    column, sums, total = _by_domain(columns, everywhere, key, tally)
    if total:
        table = bytearray(len(sums))
        kernels.positive_table(sums, value, 0, table)
        kernels.fail_by_table(column, table, code)


def _by_domain(columns: Columns, everywhere: array[int], key: str, tally: Tally) -> tuple[array[int], array[int], int]:
    """(the key's column, sums shifted by one, the sum of all)."""
    label = columns.label_column(key)
    sums = array("q", bytes(8 * (len(label.values) + 1)))
    if tally.dense is not None:
        total = kernels.sum_by_domain(tally.array(columns.stride), label.column, everywhere, sums)
        return label.column, sums, total
    total = 0
    for row, count in tally.sparse.items():
        domain = label.column[row]
        if domain >= 0 and everywhere[row]:
            sums[domain + 1] += count
            total += count
    return label.column, sums, total
