"""Why a pod does not run, or no longer: rejections at its arrival, and ends that the kubelet decides."""

from __future__ import annotations

import msgspec


class Rejection(msgspec.Struct, frozen=True):
    """The node can't take the pod; `message` without the words "Pod was rejected: "."""

    reason: str
    message: str


class Verdict(msgspec.Struct, frozen=True):
    """The pod ends with this phase, reason and message.

    grace_s     overrides the pod's own grace period; None leaves it
    disruption  message of the DisruptionTarget condition; "" when nobody else caused the end
    """

    phase: str
    reason: str
    message: str
    grace_s: int | None = None
    disruption: str = ""
