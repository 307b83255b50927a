"""What a pod's worker remembers between two looks at its pod; lost with the kubelet, and found out again."""

from __future__ import annotations

import msgspec

from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.kubelet import images
from cybernetes.kubelet.backoff import Entry
from cybernetes.kubelet.volumes.layout import MountedVolume

# The last is how long upstream waits after any failure.
SANDBOX_FIRST_S, SANDBOX_LIMIT_S = 1.0, 10.0


class Progress(msgspec.Struct):
    """seen_at: wall time at which the pod appeared here.

    fresh_from  objects that the pod refers to must have been read since (monotonic)
    entries     restart back-off; waiting: why containers do not run, as users see it
    failed      steps that failed -> when they may be tried again (monotonic); "" is the sandbox
    hooking     containers whose postStart hook still runs
    """

    seen_at: float
    fresh_from: float
    admitted: bool = False
    prepared: bool = False
    volumes_at: float | None = None
    retry_s: float | None = None
    volumes: dict[str, MountedVolume] = {}
    keys: tuple[images.Credential, ...] = ()
    hosts_for: tuple[str, ...] | None = None
    entries: dict[str, Entry] = {}
    waiting: dict[str, tuple[str, str]] = {}
    failed: dict[str, float] = {}
    sandbox_failures: int = 0
    hooking: set[str] = set()

    def sandbox_failed(self, now: float, random: Random) -> None:
        """Hold the next try back, each time longer: where a network or a runtime is broken every pod tries.

        Each try costs as much as a pod that starts, and their events would use up what a pod may say.
        """
        wait_s = backoff(self.sandbox_failures, first_s=SANDBOX_FIRST_S, limit_s=SANDBOX_LIMIT_S, random=random)
        self.failed[""] = now + wait_s
        self.sandbox_failures += 1

    def look_again(self) -> None:
        """What the pod is made from has changed: its volumes are old, and what failed may succeed now."""
        self.volumes_at = None
        self.failed.clear()
