"""What the audit log counts, under upstream's names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import Counter
from prometheus_client.registry import Collector


class Numbers(Collector):
    """One server's; it joins the server's registry."""

    def __init__(self) -> None:
        self.events = Counter("apiserver_audit_event", "Audit events generated and sent to the backends", registry=None)
        self.errors = Counter("apiserver_audit_error", "Audit events that a backend lost", ("plugin",), registry=None)

    def collect(self) -> Iterator[Any]:
        yield from self.events.collect()
        yield from self.errors.collect()
