"""How long the API server took for its answers, by its own histograms."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

NAME = "apiserver_request_duration_seconds"
# These end when the client wants it, or are streams.
LONG = ("WATCH", "CONNECT", "watch", "connect")

Buckets = dict[float, float]


def buckets(exposition: str) -> Buckets:
    """Upper bound in seconds -> how many ordinary requests took at most so long, since the server started."""
    found: Buckets = {}
    for family in text_string_to_metric_families(exposition):
        if family.name != NAME:
            continue
        for sample in family.samples:
            if sample.name == f"{NAME}_bucket" and sample.labels.get("verb") not in LONG:
                bound = float(sample.labels["le"])
                found[bound] = found.get(bound, 0) + sample.value
    return found


def quantile(before: Buckets, after: Buckets, share: float) -> float:
    """Seconds within which `share` of the requests between the two were answered, as bucket bounds tell; 0 of none."""
    grown = sorted((bound, count - before.get(bound, 0)) for bound, count in after.items())
    if not grown or not grown[-1][1]:
        return 0.0
    return next(bound for bound, count in grown if count >= share * grown[-1][1])


def total(before: Buckets, after: Buckets) -> float:
    """How many requests there were between the two."""
    last = max(after, default=0.0)
    return after.get(last, 0) - before.get(last, 0)
