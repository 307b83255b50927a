"""What a pod's worker works with: the edges and shared parts of one kubelet, built once in loop.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient
from cybernetes.client.events import EventRecorder, Reference
from cybernetes.kubelet import pods
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.env import Service
from cybernetes.kubelet.follow import Follower
from cybernetes.kubelet.host import Host
from cybernetes.kubelet.machine import HostFacts
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.prober import Probing
from cybernetes.kubelet.puller import Puller
from cybernetes.kubelet.runtime.api import Runtime
from cybernetes.kubelet.sources import ObjectReader, Tokens
from cybernetes.kubelet.status import NodeFacts
from cybernetes.kubelet.status_writer import StatusWriter
from cybernetes.kubelet.volumes.setup import Volumes


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """services: those that environments may name; allocatable: the node's, as amounts."""

    client: ApiClient
    runtime: Runtime
    host: Host
    clock: Clock
    random: Random
    config: KubeletConfig
    facts: HostFacts
    node: NodeFacts
    allocatable: dict[str, int]
    events: EventRecorder
    statuses: StatusWriter
    prober: Probing
    puller: Puller
    reader: ObjectReader
    follower: Follower
    tokens: Tokens
    volumes: Volumes
    services: Callable[[], list[Service]]
    group: asyncio.TaskGroup

    def say(self, pod: Object, container: str, kind: str, reason: str, message: str) -> None:
        """An event about a pod, or about one of its containers."""
        meta = pod["metadata"]
        about = Reference(
            kind="Pod",
            api_version="v1",
            name=meta["name"],
            namespace=meta["namespace"],
            uid=meta["uid"],
            resource_version=meta.get("resourceVersion", ""),
            field_path=pods.field_path(pod, container) if container else "",
        )
        (self.events.warning if kind == "Warning" else self.events.normal)(about, reason, message)
