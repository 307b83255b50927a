"""What a runtime in memory holds: sandboxes, containers and how they live, images made from their names."""

from __future__ import annotations

import hashlib
import math

import msgspec

from cybernetes.kubelet.cri_config import LABEL_UID
from cybernetes.kubelet.runtime.api import ExecResult, Image, Stats
from cybernetes.wire.grpc import cri_runtime_pb2 as cri


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """How containers of an image live.

    exits_after_s  seconds from start to the end by itself; None: runs until stopped
    exit_code      of that end
    term_after_s   seconds from SIGTERM to the end; None: ignores it and has to be killed
    execs          (command -> result) of ExecSync
    """

    exits_after_s: float | None = None
    exit_code: int = 0
    term_after_s: float | None = 0.0
    reason: str = ""
    execs: dict[tuple[str, ...], ExecResult] = {}


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that calls take."""

    run_sandbox_s: float = 0.0
    create_s: float = 0.0
    start_s: float = 0.0
    pull_s: float = 0.0


class FakeSandbox(msgspec.Struct):
    id: str
    config: cri.PodSandboxConfig
    ip: str
    created_at: int
    ready: bool = True


class FakeContainer(msgspec.Struct):
    id: str
    sandbox_id: str
    config: cri.ContainerConfig
    script: Script
    image_id: str
    created_at: int
    started_at: int = 0
    ends_at: float = math.inf
    exit_code: int = 0
    resources: cri.LinuxContainerResources | None = None


# A page, as even those that do nothing have.
IDLE_BYTES = 4096


def idle(container: FakeContainer, now_ns: int) -> Stats:
    return Stats(
        id=container.id,
        uid=container.config.labels.get(LABEL_UID, ""),
        name=container.config.metadata.name,
        timestamp=now_ns,
        cpu_ns=0,
        working_set_bytes=IDLE_BYTES,
        memory_usage_bytes=IDLE_BYTES,
        rss_bytes=0,
        page_faults=0,
        major_page_faults=0,
        filesystem_bytes=0,
        filesystem_inodes=0,
    )


def normal(name: str) -> str:
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"


def image_of(name: str) -> Image:
    digest = "sha256:" + hashlib.sha256(name.encode()).hexdigest()
    repository = normal(name).rpartition(":")[0]
    return Image(digest, (normal(name),), (f"{repository}@{digest}",), 1000, 0, "", False)
