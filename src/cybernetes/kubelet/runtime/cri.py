"""A CRI runtime over gRPC on a unix socket; hints come from containerd's own event service.

source  "Container Runtime Interface", runtime.v1; containerd "services/events/v1"
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio

from cybernetes.base.errors import EdgeError, Outcome, Retry
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
from cybernetes.wire.grpc import (
    containerd_event_types_pb2,
    containerd_events_pb2,
    containerd_events_pb2_grpc,
    cri_runtime_pb2_grpc,
)
from cybernetes.wire.grpc import cri_runtime_pb2 as cri

T = TypeVar("T")

# runtimeRequestTimeout of the kubelet's configuration: long enough for a sandbox on a busy disk.
CALL_TIMEOUT_S = 120
# A pull reports no progress through CRI; upstream gives it no limit, a day keeps a dead one from staying for ever.
PULL_TIMEOUT_S = 86400
# StopContainer answers after the grace period; the runtime gets this much more to kill.
STOP_MARGIN_S = 30
STATS_TRIES = 5
MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
# Reconnect quickly when containerd comes back: the default grows to two minutes.
_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)
_CRI_NAMESPACE = "k8s.io"
_ENDS = f'topic=="/tasks/exit",namespace=={_CRI_NAMESPACE}'
_LABEL_UID = "io.kubernetes.pod.uid"
_NOTE_MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"


class CriRuntime:
    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._channel = grpc.aio.insecure_channel(f"unix://{socket}", options=_OPTIONS)
        self._runtime = cri_runtime_pb2_grpc.RuntimeServiceStub(self._channel)
        self._images = cri_runtime_pb2_grpc.ImageServiceStub(self._channel)
        self._events = containerd_events_pb2_grpc.EventsStub(self._channel)

    async def version(self) -> Version:
        answer = await self._call("ask version of", self._runtime.Version(cri.VersionRequest(), timeout=CALL_TIMEOUT_S))
        return Version(answer.runtime_name, answer.runtime_version)

    async def status(self) -> RuntimeStatus:
        answer = await self._call("ask status of", self._runtime.Status(cri.StatusRequest(), timeout=CALL_TIMEOUT_S))
        conditions = {each.type: each for each in answer.status.conditions}
        runtime, network = conditions.get("RuntimeReady"), conditions.get("NetworkReady")
        return RuntimeStatus(
            ready=bool(runtime and runtime.status),
            network_ready=bool(network and network.status),
            message=_condition_text("RuntimeReady", runtime),
            network_message=_condition_text("NetworkReady", network),
        )

    async def list_sandboxes(self, uid: str = "") -> list[Sandbox]:
        request = cri.ListPodSandboxRequest()
        if uid:
            request.filter.label_selector[_LABEL_UID] = uid
        answer = await self._call("list sandboxes of", self._runtime.ListPodSandbox(request, timeout=CALL_TIMEOUT_S))
        return [
            Sandbox(
                id=each.id,
                uid=each.metadata.uid,
                name=each.metadata.name,
                namespace=each.metadata.namespace,
                attempt=each.metadata.attempt,
                ready=each.state == cri.SANDBOX_READY,
                created_at=each.created_at,
            )
            for each in answer.items
        ]

    async def list_containers(self, uid: str = "") -> list[Container]:
        request = cri.ListContainersRequest()
        if uid:
            request.filter.label_selector[_LABEL_UID] = uid
        answer = await self._call("list containers of", self._runtime.ListContainers(request, timeout=CALL_TIMEOUT_S))
        return [
            Container(
                id=each.id,
                sandbox_id=each.pod_sandbox_id,
                uid=each.labels.get(_LABEL_UID, ""),
                name=each.metadata.name,
                attempt=each.metadata.attempt,
                state=State(each.state),
                created_at=each.created_at,
            )
            for each in answer.containers
        ]

    async def run_sandbox(self, config: cri.PodSandboxConfig, handler: str) -> str:
        request = cri.RunPodSandboxRequest(config=config, runtime_handler=handler)
        call = self._runtime.RunPodSandbox(request, timeout=CALL_TIMEOUT_S)
        return str((await self._call("run sandbox", call, config.metadata.name)).pod_sandbox_id)

    async def sandbox_status(self, sandbox_id: str) -> SandboxStatus:
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        call = self._runtime.PodSandboxStatus(request, timeout=CALL_TIMEOUT_S)
        status = (await self._call_on("ask status of sandbox", call, sandbox_id)).status
        network = (status.network.ip, *(each.ip for each in status.network.additional_ips))
        return SandboxStatus(
            id=status.id,
            attempt=status.metadata.attempt,
            ready=status.state == cri.SANDBOX_READY,
            created_at=status.created_at,
            ips=tuple(ip for ip in network if ip),
            host_network=status.linux.namespaces.options.network == cri.NODE,
        )

    async def stop_sandbox(self, sandbox_id: str) -> None:
        request = cri.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        with contextlib.suppress(NotFound):
            await self._call_on(
                "stop sandbox", self._runtime.StopPodSandbox(request, timeout=CALL_TIMEOUT_S), sandbox_id
            )

    async def remove_sandbox(self, sandbox_id: str) -> None:
        request = cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        with contextlib.suppress(NotFound):
            await self._call_on(
                "remove sandbox", self._runtime.RemovePodSandbox(request, timeout=CALL_TIMEOUT_S), sandbox_id
            )

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        request = cri.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox_config)
        call = self._runtime.CreateContainer(request, timeout=CALL_TIMEOUT_S)
        return str((await self._call("create container", call, config.metadata.name)).container_id)

    async def start_container(self, container_id: str) -> None:
        request = cri.StartContainerRequest(container_id=container_id)
        await self._call("start container", self._runtime.StartContainer(request, timeout=CALL_TIMEOUT_S), container_id)

    async def stop_container(self, container_id: str, timeout_s: int) -> None:
        request = cri.StopContainerRequest(container_id=container_id, timeout=timeout_s)
        call = self._runtime.StopContainer(request, timeout=timeout_s + STOP_MARGIN_S)
        with contextlib.suppress(NotFound):
            await self._call_on("stop container", call, container_id)

    async def remove_container(self, container_id: str) -> None:
        request = cri.RemoveContainerRequest(container_id=container_id)
        with contextlib.suppress(NotFound):
            await self._call_on(
                "remove container", self._runtime.RemoveContainer(request, timeout=CALL_TIMEOUT_S), container_id
            )

    async def container_status(self, container_id: str) -> ContainerStatus:
        request = cri.ContainerStatusRequest(container_id=container_id)
        call = self._runtime.ContainerStatus(request, timeout=CALL_TIMEOUT_S)
        status = (await self._call_on("ask status of container", call, container_id)).status
        user = status.user.linux
        return ContainerStatus(
            id=status.id,
            sandbox_id="",
            name=status.metadata.name,
            attempt=status.metadata.attempt,
            state=State(status.state),
            created_at=status.created_at,
            started_at=status.started_at,
            finished_at=status.finished_at,
            exit_code=status.exit_code,
            reason=status.reason,
            message=status.message,
            image=status.image.image,
            image_ref=status.image_ref,
            image_id=status.image_id,
            log_path=status.log_path,
            message_file=_message_file(status),
            annotations=dict(status.annotations),
            resources=status.resources.linux if status.resources.HasField("linux") else None,
            user=(user.uid, user.gid, tuple(user.supplemental_groups)) if status.user.HasField("linux") else None,
        )

    async def update_resources(self, container_id: str, resources: cri.LinuxContainerResources) -> None:
        request = cri.UpdateContainerResourcesRequest(container_id=container_id, linux=resources)
        call = self._runtime.UpdateContainerResources(request, timeout=CALL_TIMEOUT_S)
        await self._call_on("update resources of container", call, container_id)

    async def reopen_log(self, container_id: str) -> None:
        request = cri.ReopenContainerLogRequest(container_id=container_id)
        call = self._runtime.ReopenContainerLog(request, timeout=CALL_TIMEOUT_S)
        await self._call_on("reopen log of container", call, container_id)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        request = cri.ExecSyncRequest(container_id=container_id, cmd=command, timeout=max(1, round(timeout_s)))
        call = self._runtime.ExecSync(request, timeout=timeout_s + STOP_MARGIN_S)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            # containerd reports a command that ran too long as DEADLINE_EXCEEDED, or as UNKNOWN around it.
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED or "deadline" in (error.details() or ""):
                raise TimeoutError(error.details()) from error
            raise self._translated("run command in container", container_id, error) from error
        return ExecResult(answer.stdout, answer.stderr, answer.exit_code)

    async def exec_url(self, request: cri.ExecRequest) -> str:
        call = self._runtime.Exec(request, timeout=CALL_TIMEOUT_S)
        return str((await self._call_on("exec in container", call, request.container_id)).url)

    async def attach_url(self, request: cri.AttachRequest) -> str:
        call = self._runtime.Attach(request, timeout=CALL_TIMEOUT_S)
        return str((await self._call_on("attach to container", call, request.container_id)).url)

    async def port_forward_url(self, sandbox_id: str) -> str:
        request = cri.PortForwardRequest(pod_sandbox_id=sandbox_id)
        call = self._runtime.PortForward(request, timeout=CALL_TIMEOUT_S)
        return str((await self._call_on("forward ports of sandbox", call, sandbox_id)).url)

    async def image_status(self, reference: str) -> Image | None:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=reference))
        answer = await self._call("inspect image", self._images.ImageStatus(request, timeout=CALL_TIMEOUT_S), reference)
        return _image(answer.image) if answer.image.id else None

    async def list_images(self) -> list[Image]:
        call = self._images.ListImages(cri.ListImagesRequest(), timeout=CALL_TIMEOUT_S)
        return [_image(each) for each in (await self._call("list images of", call)).images]

    async def pull_image(
        self, spec: cri.ImageSpec, auth: cri.AuthConfig | None, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        request = cri.PullImageRequest(image=spec, auth=auth, sandbox_config=sandbox_config)
        call = self._images.PullImage(request, timeout=PULL_TIMEOUT_S)
        return str((await self._call("pull image", call, spec.image)).image_ref)

    async def remove_image(self, reference: str) -> None:
        request = cri.RemoveImageRequest(image=cri.ImageSpec(image=reference))
        with contextlib.suppress(NotFound):
            await self._call_on("remove image", self._images.RemoveImage(request, timeout=CALL_TIMEOUT_S), reference)

    async def mount_image(self, reference: str, target: Path) -> None:
        await self._ctr("mount image", "images", "mount", reference, str(target))

    async def forget_mounted_image(self, target: Path) -> None:
        known = await self._ctr("list snapshots of", "snapshots", "ls")
        if any(line.split()[0] == str(target) for line in known.splitlines() if line.strip()):
            await self._ctr("remove snapshot", "snapshots", "rm", str(target))

    async def _ctr(self, operation: str, *arguments: str) -> str:
        """CRI can't mount images before containerd 2.1; containerd's own client can with all of them."""
        try:
            process = await asyncio.create_subprocess_exec(
                "ctr", "--address", self._socket, "--namespace", _CRI_NAMESPACE, *arguments,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except FileNotFoundError as missing:
            raise EdgeError(operation, arguments[-1], "ctr is not installed", outcome=Outcome.NOT_DONE) from missing
        out, err = await process.communicate()
        if process.returncode:
            raise EdgeError(operation, arguments[-1], err.decode("utf-8", "replace").strip())
        return out.decode("utf-8", "replace")

    async def stats(self, uid: str = "") -> list[Stats]:
        request = cri.ListContainerStatsRequest()
        if uid:
            request.filter.label_selector[_LABEL_UID] = uid
        # containerd 1 lists what ended, too, with its files and without numbers of processors and memory.
        return [_stats(each) for each in (await self._list_stats(request)).stats if each.HasField("cpu")]

    async def _list_stats(self, request: Any) -> Any:
        """A container that goes while containerd counts takes the answer about all others with it."""

        def ask() -> Awaitable[Any]:
            return self._runtime.ListContainerStats(request, timeout=CALL_TIMEOUT_S)

        for _ in range(STATS_TRIES - 1):
            with contextlib.suppress(NotFound):
                return await self._call_on("ask statistics of", ask(), self._socket)
        return await self._call("ask statistics of", ask())

    async def hints(self) -> AsyncIterator[Hint]:
        stream = self._events.Subscribe(containerd_events_pb2.SubscribeRequest(filters=[_ENDS]))
        try:
            async for envelope in stream:
                event = containerd_event_types_pb2.TaskExit()
                event.ParseFromString(envelope.event.value)
                # The end of a command that was executed in a container bears an id of its own.
                if event.id == event.container_id:
                    yield Hint(event.container_id)
        except grpc.aio.AioRpcError as error:
            raise self._translated("follow events of", self._socket, error) from error
        finally:
            stream.cancel()
        raise EdgeError("follow events of", self._socket, "the stream ended")

    async def close(self) -> None:
        await self._channel.close()

    async def _call(self, operation: str, call: Awaitable[T], target: str = "") -> T:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise self._translated(operation, target or self._socket, error) from error

    async def _call_on(self, operation: str, call: Awaitable[T], target: str) -> T:
        """A call on something that may be gone. Raises NotFound."""
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                raise NotFound(error.details()) from error
            raise self._translated(operation, target, error) from error

    def _translated(self, operation: str, target: str, error: grpc.aio.AioRpcError) -> EdgeError:
        code = error.code()
        unreached = code == grpc.StatusCode.UNAVAILABLE
        return EdgeError(
            operation,
            target,
            f"rpc error: code = {_code_name(code)} desc = {error.details()}",
            outcome=Outcome.UNKNOWN if unreached or code == grpc.StatusCode.DEADLINE_EXCEEDED else Outcome.NOT_DONE,
            retry=Retry.LATER,
        )


def _code_name(code: grpc.StatusCode) -> str:
    """gRPC's codes as Go prints them: NotFound, DeadlineExceeded, OK."""
    return "".join(part.capitalize() for part in code.name.split("_")) if code.name != "OK" else "OK"


def _condition_text(kind: str, condition: Any) -> str:
    if condition is None:
        return f"{kind} is unknown"
    return f"{kind}={str(condition.status).lower()} reason:{condition.reason} message:{condition.message}"


def _message_file(status: Any) -> str:
    inside = status.annotations.get(_NOTE_MESSAGE_PATH, "")
    return next((each.host_path for each in status.mounts if each.container_path == inside), "") if inside else ""


def _image(image: Any) -> Image:
    return Image(
        id=image.id,
        tags=tuple(image.repo_tags),
        digests=tuple(image.repo_digests),
        size=image.size,
        uid=image.uid.value if image.HasField("uid") else None,
        username=image.username,
        pinned=image.pinned,
    )


def _stats(each: Any) -> Stats:
    return Stats(
        id=each.attributes.id,
        uid=each.attributes.labels.get(_LABEL_UID, ""),
        name=each.attributes.metadata.name,
        timestamp=each.cpu.timestamp,
        cpu_ns=each.cpu.usage_core_nano_seconds.value,
        working_set_bytes=each.memory.working_set_bytes.value,
        memory_usage_bytes=each.memory.usage_bytes.value,
        rss_bytes=each.memory.rss_bytes.value,
        page_faults=each.memory.page_faults.value,
        major_page_faults=each.memory.major_page_faults.value,
        filesystem_bytes=each.writable_layer.used_bytes.value,
        filesystem_inodes=each.writable_layer.inodes_used.value,
    )
