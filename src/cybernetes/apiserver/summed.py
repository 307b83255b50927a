"""Metrics of several processes of one API server as one server's. Pure.

Counts, histograms and sizes are added up; of what every process has alike, the largest is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

# What is the same in every process: the objects of the one store, what is served with which configuration, limits.
ALIKE = frozenset(
    (
        "apiserver_storage_objects",
        "cybernetes_encryption_rewriting",
        "process_max_fds",
        "process_start_time_seconds",
    )
)
_ALIKE_ENDINGS = ("_info", "_created")

Labels = tuple[tuple[str, str], ...]


class Family(msgspec.Struct, frozen=True, array_like=True):
    """samples: (name, labels, value)."""

    name: str
    text: str
    kind: str
    samples: list[tuple[str, Labels, float]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Family]).decode


def told(metrics: Iterable[Metric]) -> bytes:
    """One process's numbers, for another one."""
    return _encode([_family(each) for each in metrics])


def _family(metric: Metric) -> Family:
    samples = [(each.name, tuple(each.labels.items()), float(each.value)) for each in metric.samples]
    return Family(metric.name, metric.documentation, metric.type, samples)


class Summed(Collector):
    """own: this process's metrics. others: what the others told."""

    def __init__(self, own: Iterable[Metric], others: Sequence[bytes]) -> None:
        self._parts = [[_family(each) for each in own], *map(_decode, others)]

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Family] = {}
        values: dict[str, dict[tuple[str, Labels], float]] = {}
        for family in (each for part in self._parts for each in part):
            families.setdefault(family.name, family)
            _add(values.setdefault(family.name, {}), family)
        for name, family in families.items():
            metric = Metric(name, family.text, family.kind)
            for (sample, labels), value in values[name].items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


def _add(values: dict[tuple[str, Labels], float], family: Family) -> None:
    for name, labels, value in family.samples:
        before = values.get((name, labels))
        if before is None:
            values[name, labels] = value
        elif name in ALIKE or name.endswith(_ALIKE_ENDINGS):
            values[name, labels] = max(before, value)
        else:
            values[name, labels] = before + value
