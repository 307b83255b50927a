"""How long a container waits before it is started again. Pure: entries are values, kept by the pod's worker.

source  kubernetes.io "Pod Lifecycle", container restarts
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

FIRST_S = 10.0
IMAGE_LIMIT_S = 300.0


class Entry(msgspec.Struct, frozen=True):
    delay_s: float
    updated: float


Entries = Mapping[str, Entry]


def remaining_s(entry: Entry | None, since: float, now: float, limit_s: float) -> float:
    """Seconds still to wait when the last failure was at `since`; 0 when there is nothing to wait for."""
    if entry is None or _expired(entry, since, limit_s):
        return 0.0
    return max(0.0, entry.delay_s - (now - since))


def following(entry: Entry | None, since: float, now: float, limit_s: float) -> Entry:
    """The entry after another try at `now`: doubled, or from the start when the last one is long ago."""
    if entry is None or _expired(entry, since, limit_s):
        return Entry(min(FIRST_S, limit_s), now)
    return Entry(min(entry.delay_s * 2, limit_s), now)


def _expired(entry: Entry, since: float, limit_s: float) -> bool:
    return since - entry.updated > 2 * limit_s


def go_duration(seconds: float) -> str:
    """As Go prints whole seconds: 10s, 1m20s, 5m0s, 1h0m0s."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{secs}s"
    return f"{minutes}m{secs}s" if minutes else f"{secs}s"
