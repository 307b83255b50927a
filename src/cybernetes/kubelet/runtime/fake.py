"""A runtime in memory: containers that live as scripted, and calls that fail as scripted.

Nothing runs in the background: whether a container has ended follows from its script and the
clock, so thousands of containers cost nothing while nobody looks.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, MutableSequence, Sequence
from pathlib import Path

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.kubelet.cri_config import LABEL_UID
from cybernetes.kubelet.runtime.api import (
    Container,
    ContainerStatus,
    ExecResult,
    Hint,
    Image,
    NotFound,
    RuntimeStatus,
    Sandbox,
    SandboxStatus,
    State,
    Stats,
    Version,
)
from cybernetes.kubelet.runtime.scripted import Delays, FakeContainer, FakeSandbox, Script, idle, image_of, normal
from cybernetes.wire.grpc import cri_runtime_pb2 as cri

# Hints queued for a reader that does not read; older ones are dropped, as containerd does.
HINTS_MAX = 1000


class FakeRuntime:
    """images: known references; scripts: reference -> Script. `calls` records every operation, in order."""

    def __init__(self, clock: Clock, images: Sequence[str] = (), *, delays: Delays | None = None) -> None:
        self._clock = clock
        self._images = {normal(name): image_of(name) for name in images}
        self._delays = delays or Delays()
        self._sandboxes: dict[str, FakeSandbox] = {}
        self._containers: dict[str, FakeContainer] = {}
        self._failures: dict[str, list[EdgeError]] = {}
        self._readers: list[asyncio.Queue[Hint]] = []
        self._next = 0
        self.scripts: dict[str, Script] = {}
        self.down = False
        self.calls: MutableSequence[tuple[str, object]] = []

    # What a test or a simulation says.

    def fail(self, operation: str, *, times: int = 1, message: str = "scripted failure") -> None:
        """The next `times` calls of `operation` (a method's name) raise EdgeError."""
        error = EdgeError(operation, "fake", message, outcome=Outcome.NOT_DONE, retry=Retry.LATER)
        self._failures.setdefault(operation, []).extend([error] * times)

    def end(self, container_id: str, exit_code: int) -> None:
        """The container ends now, by itself."""
        container = self._containers[container_id]
        container.ends_at = self._clock.now()
        container.exit_code = exit_code
        self._tell(container_id)

    # The protocol.

    async def version(self) -> Version:
        self._enter("version", None)
        return Version("fake", "1")

    async def status(self) -> RuntimeStatus:
        self._enter("status", None)
        return RuntimeStatus(True, True, "RuntimeReady=true", "NetworkReady=true")

    async def list_sandboxes(self, uid: str = "") -> list[Sandbox]:
        self._enter("list_sandboxes", uid)
        return [
            Sandbox(
                id=each.id,
                uid=each.config.metadata.uid,
                name=each.config.metadata.name,
                namespace=each.config.metadata.namespace,
                attempt=each.config.metadata.attempt,
                ready=each.ready,
                created_at=each.created_at,
            )
            for each in self._sandboxes.values()
            if uid in ("", each.config.metadata.uid)
        ]

    async def list_containers(self, uid: str = "") -> list[Container]:
        self._enter("list_containers", uid)
        return [
            Container(
                id=each.id,
                sandbox_id=each.sandbox_id,
                uid=each.config.labels.get(LABEL_UID, ""),
                name=each.config.metadata.name,
                attempt=each.config.metadata.attempt,
                state=self._state(each),
                created_at=each.created_at,
            )
            for each in self._containers.values()
            if uid in ("", each.config.labels.get(LABEL_UID))
        ]

    async def run_sandbox(self, config: cri.PodSandboxConfig, handler: str) -> str:
        self._enter("run_sandbox", config)
        await self._clock.sleep(self._delays.run_sandbox_s)
        sandbox_id = self._new_id("sandbox")
        number = self._next
        ip = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        host = config.linux.security_context.namespace_options.network == cri.NODE
        self._sandboxes[sandbox_id] = FakeSandbox(sandbox_id, config, "" if host else ip, self._now_ns())
        return sandbox_id

    async def sandbox_status(self, sandbox_id: str) -> SandboxStatus:
        self._enter("sandbox_status", sandbox_id)
        sandbox = self._sandbox(sandbox_id)
        return SandboxStatus(
            id=sandbox_id,
            attempt=sandbox.config.metadata.attempt,
            ready=sandbox.ready,
            created_at=sandbox.created_at,
            ips=(sandbox.ip,) if sandbox.ip else (),
            host_network=not sandbox.ip,
        )

    async def stop_sandbox(self, sandbox_id: str) -> None:
        self._enter("stop_sandbox", sandbox_id)
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        sandbox.ready = False
        for each in self._containers.values():
            if each.sandbox_id == sandbox_id and self._state(each) is not State.EXITED:
                self._kill(each)
        self._tell(sandbox_id)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        self._enter("remove_sandbox", sandbox_id)
        if self._sandboxes.pop(sandbox_id, None) is None:
            return
        for each in [each.id for each in self._containers.values() if each.sandbox_id == sandbox_id]:
            del self._containers[each]

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        self._enter("create_container", config)
        await self._clock.sleep(self._delays.create_s)
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or not sandbox.ready:
            raise EdgeError("create container", config.metadata.name, f"sandbox {sandbox_id} is not ready")
        name = config.image.user_specified_image or config.image.image
        container_id = self._new_id("container")
        self._containers[container_id] = FakeContainer(
            id=container_id,
            sandbox_id=sandbox_id,
            config=config,
            script=self.scripts.get(name, Script()),
            image_id=config.image.image,
            created_at=self._now_ns(),
            resources=config.linux.resources,
        )
        return container_id

    async def start_container(self, container_id: str) -> None:
        self._enter("start_container", container_id)
        await self._clock.sleep(self._delays.start_s)
        container = self._container(container_id)
        if self._state(container) is not State.CREATED:
            raise EdgeError("start container", container_id, "it is not in created state", outcome=Outcome.NOT_DONE)
        container.started_at = self._now_ns()
        if container.script.exits_after_s is not None:
            container.ends_at = self._clock.now() + container.script.exits_after_s
            container.exit_code = container.script.exit_code

    async def stop_container(self, container_id: str, timeout_s: int) -> None:
        self._enter("stop_container", (container_id, timeout_s))
        container = self._containers.get(container_id)
        if container is None or self._state(container) is not State.RUNNING:
            return
        after = container.script.term_after_s
        polite = after is not None and after <= timeout_s
        wait = after if polite and after is not None else float(timeout_s)
        ends_at = self._clock.now() + wait
        if ends_at < container.ends_at:
            container.ends_at = ends_at
            container.exit_code = 143 if polite else 137
        await self._clock.sleep(max(0.0, container.ends_at - self._clock.now()))
        self._tell(container_id)

    async def remove_container(self, container_id: str) -> None:
        self._enter("remove_container", container_id)
        self._containers.pop(container_id, None)

    async def container_status(self, container_id: str) -> ContainerStatus:
        self._enter("container_status", container_id)
        each = self._container(container_id)
        state = self._state(each)
        ended = state is State.EXITED
        return ContainerStatus(
            id=each.id,
            sandbox_id=each.sandbox_id,
            name=each.config.metadata.name,
            attempt=each.config.metadata.attempt,
            state=state,
            created_at=each.created_at,
            started_at=each.started_at,
            finished_at=int(each.ends_at * 1e9) if ended else 0,
            exit_code=each.exit_code if ended else 0,
            reason=(each.script.reason or ("Completed" if each.exit_code == 0 else "Error")) if ended else "",
            image=each.config.image.user_specified_image,
            image_ref=each.image_id,
            image_id=each.image_id,
            log_path=each.config.log_path,
            annotations=dict(each.config.annotations),
        )

    async def update_resources(self, container_id: str, resources: cri.LinuxContainerResources) -> None:
        self._enter("update_resources", (container_id, resources))
        self._container(container_id).resources = resources

    async def reopen_log(self, container_id: str) -> None:
        self._enter("reopen_log", container_id)
        self._container(container_id)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        self._enter("exec_sync", (container_id, tuple(command)))
        container = self._container(container_id)
        return container.script.execs.get(tuple(command), ExecResult(b"", b"", 0))

    async def exec_url(self, request: cri.ExecRequest) -> str:
        raise self._no_streams("exec in container", request.container_id)

    async def attach_url(self, request: cri.AttachRequest) -> str:
        raise self._no_streams("attach to container", request.container_id)

    async def port_forward_url(self, sandbox_id: str) -> str:
        raise self._no_streams("forward ports of sandbox", sandbox_id)

    async def image_status(self, reference: str) -> Image | None:
        self._enter("image_status", reference)
        known = self._images.get(normal(reference))
        return known or next((each for each in self._images.values() if each.id == reference), None)

    async def list_images(self) -> list[Image]:
        self._enter("list_images", None)
        return list(self._images.values())

    async def pull_image(
        self, spec: cri.ImageSpec, auth: cri.AuthConfig | None, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        self._enter("pull_image", (spec, auth))
        await self._clock.sleep(self._delays.pull_s)
        name = normal(spec.image)
        image = self._images.get(name)
        if image is None:
            raise EdgeError("pull image", spec.image, f'rpc error: code = NotFound desc = "{spec.image}": not found')
        return image.id

    async def remove_image(self, reference: str) -> None:
        self._enter("remove_image", reference)
        for name in [name for name, each in self._images.items() if reference in (name, each.id)]:
            del self._images[name]

    async def mount_image(self, reference: str, target: Path) -> None:
        self._enter("mount_image", (reference, target))

    async def forget_mounted_image(self, target: Path) -> None:
        self._enter("forget_mounted_image", target)

    async def stats(self, uid: str = "") -> list[Stats]:
        self._enter("stats", None)
        running = (each for each in self._containers.values() if self._state(each) is State.RUNNING)
        counted = (idle(each, self._now_ns()) for each in running)
        return [each for each in counted if uid in ("", each.uid)]

    async def hints(self) -> AsyncIterator[Hint]:
        self._enter("hints", None)
        queue: asyncio.Queue[Hint] = asyncio.Queue(HINTS_MAX)
        self._readers.append(queue)
        try:
            while True:
                if self.down:
                    raise EdgeError("follow events of", "fake", "the runtime is down")
                yield await queue.get()
        finally:
            self._readers.remove(queue)

    async def close(self) -> None:
        self._readers.clear()

    # Its inside.

    def _enter(self, operation: str, argument: object) -> None:
        self.calls.append((operation, argument))
        if self.down:
            raise EdgeError(operation, "fake", "the runtime is down", outcome=Outcome.NOT_DONE)
        failures = self._failures.get(operation)
        if failures:
            raise failures.pop(0)

    def _state(self, container: FakeContainer) -> State:
        if container.ends_at <= self._clock.now():
            return State.EXITED
        return State.RUNNING if container.started_at else State.CREATED

    def _kill(self, container: FakeContainer) -> None:
        container.ends_at = self._clock.now()
        container.exit_code = 137
        self._tell(container.id)

    def _sandbox(self, sandbox_id: str) -> FakeSandbox:
        if sandbox_id not in self._sandboxes:
            raise NotFound(sandbox_id)
        return self._sandboxes[sandbox_id]

    def _container(self, container_id: str) -> FakeContainer:
        if container_id not in self._containers:
            raise NotFound(container_id)
        return self._containers[container_id]

    def _tell(self, ended: str) -> None:
        for queue in self._readers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(Hint(ended))

    def _new_id(self, kind: str) -> str:
        self._next += 1
        return hashlib.sha256(f"{kind}-{self._next}".encode()).hexdigest()

    def _now_ns(self) -> int:
        return int(self._clock.now() * 1e9)

    def _no_streams(self, operation: str, target: str) -> EdgeError:
        return EdgeError(
            operation, target, "a fake runtime has no streams", outcome=Outcome.NOT_DONE, retry=Retry.NEVER
        )
