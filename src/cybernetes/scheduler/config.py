"""KubeSchedulerConfiguration, decoded strictly and made ready to use.

enters   the document as a dict (kubescheduler.config.k8s.io/v1)
leaves   Config: profiles, backoff, leader election
fails    ConfigError with the field's path: unknown fields, unknown plugins, values out of range
source   Kubernetes reference "kube-scheduler Configuration (v1)"
"""

from __future__ import annotations

import msgspec

from cybernetes.scheduler.profile import Profile
from cybernetes.scheduler.queue import Backoff


class Election(msgspec.Struct, frozen=True):
    namespace: str = "kube-system"
    name: str = "kube-scheduler"
    lease_s: int = 15
    renew_s: float = 10.0
    retry_s: float = 2.0


class Config(msgspec.Struct, frozen=True):
    profiles: tuple[Profile, ...] = (Profile(),)
    backoff: Backoff = Backoff()
    election: Election | None = None
