"""When each node was last heard of, by this process's own clock."""

from __future__ import annotations

import msgspec

from cybernetes.controllers.objects import Node, View
from cybernetes.controllers.pods import condition


class LeaseSpec(View, frozen=True, gc=False):
    renew_time: str | None = ""


class LeaseMeta(View, frozen=True, gc=False):
    name: str = ""
    namespace: str = ""


class Lease(View, frozen=True, gc=False):
    metadata: LeaseMeta
    spec: LeaseSpec = LeaseSpec()


class _Heard(msgspec.Struct):
    """What was last said, and when that was heard first."""

    at: float
    heartbeat: str = ""
    renewed: str = ""


class Health:
    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}

    def heard_of(self, node: Node, now: float) -> None:
        heard = self._heard.setdefault(node.metadata.name, _Heard(now))
        ready = condition(node.status.conditions, "Ready")
        # A status that we wrote ourselves, Unknown, is no sign of life: its heartbeat stays.
        heartbeat = (ready.last_heartbeat_time or "") if ready and ready.status != "Unknown" else heard.heartbeat
        if heartbeat != heard.heartbeat:
            heard.heartbeat, heard.at = heartbeat, now

    def renewed(self, lease: Lease, now: float) -> None:
        heard = self._heard.setdefault(lease.metadata.name, _Heard(now))
        if (lease.spec.renew_time or "") != heard.renewed:
            heard.renewed, heard.at = lease.spec.renew_time or "", now

    def forget(self, name: str) -> None:
        self._heard.pop(name, None)

    def reset(self, now: float) -> None:
        """Count all silences from now."""
        for each in self._heard.values():
            each.at = now

    def silent_s(self, name: str, now: float) -> float:
        heard = self._heard.get(name)
        return now - heard.at if heard else 0.0
