"""How long the API server took for its answers, by its own histograms, and how many requests it refused."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

NAME = "apiserver_request_duration_seconds"
REFUSED = "apiserver_flowcontrol_rejected_requests_total"
# By verb; WATCH and CONNECT end when the client wants it, or are streams.
KINDS = {
    "get": ("GET",),
    "list": ("LIST",),
    "write": ("POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"),
}
ALL = "all"

Buckets = dict[float, float]


def buckets(exposition: str) -> dict[str, Buckets]:
    """Kind of requests, or ALL -> upper bound in seconds -> how many took at most so long, since the server started."""
    kind_of = {verb: kind for kind, verbs in KINDS.items() for verb in verbs}
    found: dict[str, Buckets] = {kind: {} for kind in (ALL, *KINDS)}
    for family in text_string_to_metric_families(exposition):
        if family.name != NAME:
            continue
        for sample in family.samples:
            kind = kind_of.get(sample.labels.get("verb", ""))
            if kind is None or sample.name != f"{NAME}_bucket":
                continue
            bound = float(sample.labels["le"])
            for each in (found[ALL], found[kind]):
                each[bound] = each.get(bound, 0) + sample.value
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


def refused(exposition: str) -> float:
    """Requests that priority and fairness answered with 429, since the server started."""
    lines = (line for line in exposition.splitlines() if line.startswith(REFUSED))
    return sum(float(line.rpartition(" ")[2]) for line in lines)
