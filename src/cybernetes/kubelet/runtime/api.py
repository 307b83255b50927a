"""The runtime's contract: sandboxes, containers, images, and a stream of hints.

Requests are CRI messages, since their shape is the contract; what is observed comes back as
frozen structs that hold only what the kubelet reads. Times are nanoseconds since the epoch, 0 for never.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from cybernetes.wire.grpc import cri_runtime_pb2 as cri


class State(enum.IntEnum):
    CREATED = 0
    RUNNING = 1
    EXITED = 2
    UNKNOWN = 3


class Sandbox(msgspec.Struct, frozen=True):
    id: str
    uid: str
    name: str
    namespace: str
    attempt: int
    ready: bool
    created_at: int


class SandboxStatus(msgspec.Struct, frozen=True):
    """ips: the pod's addresses, empty in the host's network."""

    id: str
    attempt: int
    ready: bool
    created_at: int
    ips: tuple[str, ...] = ()
    host_network: bool = False


class Container(msgspec.Struct, frozen=True):
    """A row of the runtime's list; enough to see that something changed."""

    id: str
    sandbox_id: str
    uid: str
    name: str
    attempt: int
    state: State
    created_at: int


class ContainerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One container, whole.

    image      as the runtime resolved it; image_ref is `repo@sha256:..` or the image's id
    message_file  this machine's path of what is mounted where the container leaves its last words
    resources  what the runtime enforces now; None when it does not tell
    user       uid, gid and supplementary groups of the first process; None when it does not tell
    """

    id: str
    sandbox_id: str
    name: str
    attempt: int
    state: State
    created_at: int
    started_at: int = 0
    finished_at: int = 0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_ref: str = ""
    image_id: str = ""
    log_path: str = ""
    message_file: str = ""
    annotations: Mapping[str, str] = {}
    resources: cri.LinuxContainerResources | None = None
    user: tuple[int, int, tuple[int, ...]] | None = None


class Image(msgspec.Struct, frozen=True):
    """uid is None when the image names its user, or says nothing of one; username is "" when it gives a number."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size: int
    uid: int | None
    username: str
    pinned: bool


class RuntimeStatus(msgspec.Struct, frozen=True):
    ready: bool
    network_ready: bool
    message: str
    network_message: str


class Version(msgspec.Struct, frozen=True):
    name: str
    version: str


class ExecResult(msgspec.Struct, frozen=True):
    stdout: bytes
    stderr: bytes
    exit_code: int


class Stats(msgspec.Struct, frozen=True):
    """Of one container. timestamp in nanoseconds; cpu_ns since it started."""

    id: str
    uid: str
    name: str
    timestamp: int
    cpu_ns: int
    working_set_bytes: int
    memory_usage_bytes: int
    rss_bytes: int
    page_faults: int
    major_page_faults: int
    filesystem_bytes: int
    filesystem_inodes: int


class Hint(msgspec.Struct, frozen=True):
    """A container or sandbox has ended; `id` is whichever the runtime named."""

    id: str


class NotFound(Exception):
    """The runtime does not know this id; for stop and remove that is success."""


class Runtime(Protocol):
    """All methods raise EdgeError when the runtime refuses or can't be reached; NotFound where stated."""

    async def version(self) -> Version: ...

    async def status(self) -> RuntimeStatus: ...

    async def list_sandboxes(self, uid: str = "") -> list[Sandbox]:
        """All sandboxes, or those of one pod."""
        ...

    async def list_containers(self, uid: str = "") -> list[Container]:
        """All containers, or those of one pod."""
        ...

    async def run_sandbox(self, config: cri.PodSandboxConfig, handler: str) -> str: ...

    async def sandbox_status(self, sandbox_id: str) -> SandboxStatus:
        """Raises NotFound."""
        ...

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """May be repeated; success when it is gone already."""
        ...

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Its containers go with it. May be repeated."""
        ...

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox_config: cri.PodSandboxConfig
    ) -> str: ...

    async def start_container(self, container_id: str) -> None: ...

    async def stop_container(self, container_id: str, timeout_s: int) -> None:
        """Signal, wait up to `timeout_s`, kill. Success when it has ended or is gone. May be repeated."""
        ...

    async def remove_container(self, container_id: str) -> None:
        """May be repeated; a running container is killed first."""
        ...

    async def container_status(self, container_id: str) -> ContainerStatus:
        """Raises NotFound."""
        ...

    async def update_resources(self, container_id: str, resources: cri.LinuxContainerResources) -> None: ...

    async def reopen_log(self, container_id: str) -> None: ...

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        """Raises TimeoutError when the command ran longer than `timeout_s`."""
        ...

    async def exec_url(self, request: cri.ExecRequest) -> str:
        """Where the session is to be had, once."""
        ...

    async def attach_url(self, request: cri.AttachRequest) -> str: ...

    async def port_forward_url(self, sandbox_id: str) -> str: ...

    async def image_status(self, reference: str) -> Image | None: ...

    async def list_images(self) -> list[Image]: ...

    async def pull_image(
        self, spec: cri.ImageSpec, auth: cri.AuthConfig | None, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        """The pulled image's id."""
        ...

    async def remove_image(self, reference: str) -> None: ...

    async def mount_image(self, reference: str, target: Path) -> None:
        """Show the files of an image that is here at `target`, a folder that is no mount point yet, read-only."""
        ...

    async def forget_mounted_image(self, target: Path) -> None:
        """Release what `mount_image` held, after `target` was unmounted. May be repeated."""
        ...

    async def stats(self, uid: str = "") -> list[Stats]:
        """Of the containers that run, of one pod or of all: one that ended uses nothing, and is not listed."""
        ...

    def hints(self) -> AsyncIterator[Hint]:
        """Hints while the stream lasts; ends with EdgeError. Hints get lost: a periodic relist is the truth."""
        ...

    async def close(self) -> None: ...
