"""What every Runtime promises: the fake always, containerd where it can run."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.kubelet.testbed import SHELL, Testbed, running

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.kubelet.runtime.api import ExecResult, NotFound, Runtime, State
from cybernetes.kubelet.runtime.cri import CriRuntime
from cybernetes.kubelet.runtime.fake import FakeRuntime
from cybernetes.kubelet.runtime.scripted import Script
from cybernetes.wire.grpc import cri_runtime_pb2 as cri

UNTIL_TERM = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
DEAF = "trap '' TERM; while :; do sleep 0.05; done"
WORDS = ("echo", "hello")

Body = Callable[[Runtime], Awaitable[None]]


@pytest.fixture(scope="module")
def containerd() -> Iterator[Testbed]:
    with running(f"cyb-kubelet-rt-{os.getpid()}") as bed:
        yield bed


@pytest.fixture(params=["fake", pytest.param("containerd", marks=pytest.mark.privileged)])
def holds(request: Any) -> Callable[[Body], None]:
    """Runs a body against a runtime."""
    if request.param == "containerd":
        bed = request.getfixturevalue("containerd")

    def run(body: Body) -> None:
        async def scenario() -> None:
            runtime = _fake() if request.param == "fake" else CriRuntime(str(bed.socket))
            try:
                await body(runtime)
            finally:
                for box in await runtime.list_sandboxes():
                    await runtime.stop_sandbox(box.id)
                    await runtime.remove_sandbox(box.id)
                await runtime.close()

        asyncio.run(scenario())

    return run


def _fake() -> Runtime:
    runtime = FakeRuntime(SystemClock(), [SHELL])
    runtime.scripts[SHELL] = Script(execs={WORDS: ExecResult(b"hello\n", b"", 0), ("false",): ExecResult(b"", b"", 1)})
    return runtime


def sandbox(name: str = "p", attempt: int = 0) -> cri.PodSandboxConfig:
    return cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name=name, uid=f"uid-{name}", namespace="ns", attempt=attempt),
        hostname=name,
        log_directory=f"/tmp/cyb-kubelet-contract-logs-{os.getpid()}",
        labels={"io.kubernetes.pod.uid": f"uid-{name}"},
        linux=cri.LinuxPodSandboxConfig(),
    )


def container(script: str, name: str = "c", attempt: int = 0, pod: str = "p") -> cri.ContainerConfig:
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=name, attempt=attempt),
        image=cri.ImageSpec(image=SHELL, user_specified_image=SHELL),
        command=["sh", "-c", script],
        labels={"io.kubernetes.pod.uid": f"uid-{pod}"},
        annotations={"note": "kept"},
        log_path=f"{name}-{attempt}.log",
        linux=cri.LinuxContainerConfig(),
    )


async def started(runtime: Runtime, script: str, name: str = "c") -> tuple[str, str]:
    box = await runtime.run_sandbox(sandbox(), "")
    made = await runtime.create_container(box, container(script, name), sandbox())
    await runtime.start_container(made)
    return box, made


def test_a_sandbox_has_an_address_until_it_is_stopped(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        box = await runtime.run_sandbox(sandbox(), "")
        status = await runtime.sandbox_status(box)
        assert status.ready
        assert len(status.ips) == 1
        rows = await runtime.list_sandboxes("uid-p")
        assert [(row.id, row.ready, row.name, row.namespace) for row in rows] == [(box, True, "p", "ns")]
        assert await runtime.list_sandboxes("uid-other") == []
        await runtime.stop_sandbox(box)
        assert not (await runtime.sandbox_status(box)).ready

    holds(body)


def test_a_container_goes_through_its_states_in_order(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        box = await runtime.run_sandbox(sandbox(), "")
        made = await runtime.create_container(box, container(UNTIL_TERM), sandbox())
        assert (await runtime.container_status(made)).state is State.CREATED
        await runtime.start_container(made)
        running = await runtime.container_status(made)
        assert running.state is State.RUNNING
        assert running.started_at >= running.created_at > 0
        assert running.annotations["note"] == "kept"
        await runtime.stop_container(made, 5)
        ended = await runtime.container_status(made)
        assert ended.state is State.EXITED
        assert ended.exit_code in (0, 143)
        assert ended.finished_at >= ended.started_at
        with pytest.raises(EdgeError):
            await runtime.start_container(made)

    holds(body)


def test_stopping_and_removing_may_be_repeated(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        box, made = await started(runtime, UNTIL_TERM)
        for _ in range(2):
            await runtime.stop_container(made, 2)
        for _ in range(2):
            await runtime.remove_container(made)
        for _ in range(2):
            await runtime.stop_sandbox(box)
        for _ in range(2):
            await runtime.remove_sandbox(box)
        assert await runtime.list_containers("uid-p") == []
        assert await runtime.list_sandboxes("uid-p") == []
        with pytest.raises(NotFound):
            await runtime.container_status(made)
        with pytest.raises(NotFound):
            await runtime.sandbox_status(box)

    holds(body)


def test_removing_a_sandbox_takes_its_containers_along(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        box, _ = await started(runtime, UNTIL_TERM)
        await runtime.stop_sandbox(box)
        await runtime.remove_sandbox(box)
        assert await runtime.list_containers("uid-p") == []

    holds(body)


def test_a_container_needs_a_sandbox(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        with pytest.raises((EdgeError, NotFound)):
            await runtime.create_container("none", container(UNTIL_TERM), sandbox())

    holds(body)


def test_commands_run_and_report_their_exit_code(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        _, made = await started(runtime, UNTIL_TERM)
        assert await runtime.exec_sync(made, WORDS, 5) == ExecResult(b"hello\n", b"", 0)
        assert (await runtime.exec_sync(made, ["false"], 5)).exit_code == 1
        with pytest.raises((EdgeError, NotFound)):
            await runtime.exec_sync("none", WORDS, 5)

    holds(body)


def test_only_what_runs_has_statistics(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        box, made = await started(runtime, UNTIL_TERM)
        ended = await runtime.create_container(box, container(UNTIL_TERM, "ended"), sandbox())
        await runtime.start_container(ended)
        await runtime.stop_container(ended, 0)
        rows = {row.id: row for row in await runtime.stats()}
        assert list(rows) == [made]
        assert (rows[made].uid, rows[made].name) == ("uid-p", "c") and rows[made].timestamp > 0
        assert [row.id for row in await runtime.stats("uid-p")] == [made]
        assert await runtime.stats("uid-of-another") == []

    holds(body)


def test_images_are_found_by_name_and_by_id(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        found = await runtime.image_status(SHELL)
        assert found is not None
        assert not found.uid
        by_id = await runtime.image_status(found.id)
        assert by_id is not None and by_id.id == found.id
        assert await runtime.image_status("test.cybernetes/none:1") is None
        assert found.id in [each.id for each in await runtime.list_images()]
        with pytest.raises(EdgeError):
            await runtime.pull_image(cri.ImageSpec(image="127.0.0.1:9/none:1"), None, sandbox())

    holds(body)


class _Nothing(BaseHTTPRequestHandler):
    """A registry that has nothing."""

    def do_HEAD(self) -> None:
        self.send_error(404)

    do_GET = do_HEAD

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_an_image_that_its_registry_does_not_have_is_refused_by_name(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        with ThreadingHTTPServer(("127.0.0.1", 0), _Nothing) as registry:
            threading.Thread(target=registry.serve_forever, daemon=True).start()
            image = f"127.0.0.1:{registry.server_port}/none:1"
            with pytest.raises(EdgeError, match="code = NotFound") as refused:
                await runtime.pull_image(cri.ImageSpec(image=image), None, sandbox())
            registry.shutdown()
        assert image in refused.value.message

    holds(body)


def test_ends_are_hinted_and_those_of_commands_are_not(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        seen: list[str] = []

        async def listen() -> None:
            async for hint in runtime.hints():
                seen.append(hint.id)

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.3)
        _, made = await started(runtime, UNTIL_TERM)
        await runtime.exec_sync(made, ["true"], 5)
        await asyncio.sleep(0.3)
        assert seen == []
        await runtime.stop_container(made, 5)
        async with asyncio.timeout(60):
            while not seen:  # noqa: ASYNC110 -- of a stream that is read elsewhere
                await asyncio.sleep(0.02)
        listening.cancel()
        assert seen == [made]

    holds(body)


def test_a_runtime_says_what_it_is_and_whether_it_is_ready(holds: Callable[[Body], None]) -> None:
    async def body(runtime: Runtime) -> None:
        assert (await runtime.version()).name in ("fake", "containerd")
        status = await runtime.status()
        assert status.ready and status.network_ready

    holds(body)


@pytest.mark.privileged
def test_containerd_kills_what_does_not_listen_and_ends_commands_that_take_too_long(containerd: Testbed) -> None:
    async def scenario() -> None:
        runtime = CriRuntime(str(containerd.socket))
        box, made = await started(runtime, DEAF)
        with pytest.raises(TimeoutError):
            await runtime.exec_sync(made, ["sleep", "30"], 1)
        await runtime.stop_container(made, 1)
        assert (await runtime.container_status(made)).exit_code == 137
        await runtime.stop_sandbox(box)
        await runtime.remove_sandbox(box)
        await runtime.close()

    asyncio.run(scenario())


def test_a_runtime_that_is_away_is_an_edge_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        runtime = CriRuntime(str(tmp_path / "no.sock"))
        with pytest.raises(EdgeError):
            await runtime.version()
        with pytest.raises(EdgeError):
            async for _ in runtime.hints():
                raise AssertionError("there is nobody to hint")
        await runtime.close()

    asyncio.run(scenario())
