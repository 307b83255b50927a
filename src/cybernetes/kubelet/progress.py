"""What a pod's worker remembers between two looks at its pod; lost with the kubelet, and found out again."""

from __future__ import annotations

import msgspec

from cybernetes.kubelet import images
from cybernetes.kubelet.backoff import Entry
from cybernetes.kubelet.volumes.layout import MountedVolume


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
    hooking: set[str] = set()

    def look_again(self) -> None:
        """What the pod is made from has changed: its volumes are old, and what failed may succeed now."""
        self.volumes_at = None
        self.failed.clear()
