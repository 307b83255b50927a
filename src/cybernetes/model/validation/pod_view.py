"""What the rules of containers know of the pod around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class PodView(msgspec.Struct, frozen=True):
    """What checks of containers need to know of their pod.

    volumes  valid volumes by name
    claims   names of the pod's resource claims
    grace_s  terminationGracePeriodSeconds, None where it is missing
    """

    volumes: Mapping[str, dict[str, Any]]
    claims: set[str]
    grace_s: int | None
    restart_policy: str
    os: str
    host_users: bool
