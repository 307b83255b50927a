"""How many seats a request takes: long lists do the work of several requests.

source  Kubernetes documentation "API Priority and Fairness", seats occupied by a request
"""

from __future__ import annotations

from cybernetes.apiserver.request import RequestInfo
from cybernetes.wire.http.message import Request

OBJECTS_PER_SEAT = 100
SEATS_MAX = 10
# Of a level's nominal seats: one list must not fill it.
PART_MAX = 0.15


def estimate(request: Request, info: RequestInfo, stored: int, nominal: int) -> int:
    """stored: objects of the resource; nominal: seats of the level."""
    if info.name or info.verb not in ("list", "watch"):
        return 1
    if info.verb == "watch" and request.param("resourceVersion") not in ("", "0"):
        return 1
    limit = request.param("limit")
    # What is no number is refused later, and one of ten digits limits nothing.
    bounded = limit.isascii() and limit.isdigit() and len(limit) < 10 and int(limit)
    wanted = min(int(limit), stored) if bounded else stored
    if request.param("labelSelector") or request.param("fieldSelector"):
        # What is left out had to be looked at.
        wanted = stored
    most = max(1, min(SEATS_MAX, int(nominal * PART_MAX) or 1))
    return max(1, min(most, -(-wanted // OBJECTS_PER_SEAT)))
