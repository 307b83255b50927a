"""When each node was last heard of, by this process's own clock."""

from __future__ import annotations

from collections import OrderedDict
from itertools import takewhile

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
        # Whoever was heard last is the last, so a look for the silent ones ends at the first that is not.
        self._heard: OrderedDict[str, _Heard] = OrderedDict()

    def heard_of(self, node: Node, now: float) -> None:
        name = node.metadata.name
        heard = self._heard.setdefault(name, _Heard(now))
        ready = condition(node.status.conditions, "Ready")
        # A status that we wrote ourselves, Unknown, is no sign of life: its heartbeat stays.
        heartbeat = (ready.last_heartbeat_time or "") if ready and ready.status != "Unknown" else heard.heartbeat
        if heartbeat != heard.heartbeat:
            heard.heartbeat, heard.at = heartbeat, now
            self._heard.move_to_end(name)

    def renewed(self, lease: Lease, now: float) -> None:
        heard = self._heard.setdefault(lease.metadata.name, _Heard(now))
        if (lease.spec.renew_time or "") != heard.renewed:
            heard.renewed, heard.at = lease.spec.renew_time or "", now
            self._heard.move_to_end(lease.metadata.name)

    def forget(self, name: str) -> None:
        self._heard.pop(name, None)

    def reset(self, now: float) -> None:
        """Count all silences from now."""
        for each in self._heard.values():
            each.at = now

    def silent(self, longer_than_s: float, now: float) -> list[str]:
        """Names of those that were not heard of for longer than that, the longest first; costs as much as there are."""
        return [name for name, _ in takewhile(lambda each: now - each[1].at > longer_than_s, self._heard.items())]

    def silent_s(self, name: str, now: float) -> float:
        heard = self._heard.get(name)
        return now - heard.at if heard else 0.0
