"""A node's machine: its containers, its clock, its power."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.base.random import Random
from cybernetes.kubelet.fake_host import FakeHost
from cybernetes.kubelet.runtime.api import Hint, Sandbox, State
from cybernetes.kubelet.runtime.fake import FakeRuntime
from cybernetes.kubelet.runtime.scripted import Delays, Script
from cybernetes.proxy.packets.fake import FakePackets
from cybernetes.sim.checks import Checks
from cybernetes.sim.loop import VirtualClock
from cybernetes.sim.transcript import Transcript
from cybernetes.sim.workloads import LONG_IMAGE, LONG_S
from cybernetes.wire.grpc import cri_runtime_pb2 as cri

IMAGES = ("app:1", "app:2", "task:1", LONG_IMAGE)
# Containers of this image end by themselves.
TASK_S = 3.0


class SimRuntime(FakeRuntime):
    """The runtime in memory, with a seed's delays and failures; tells the checks what it runs.

    slow_s           calls that change something take up to this long
    failing_percent  of those calls fail, before or after they had their effect
    doubles          a bug on purpose: now and then a container is started twice
    """

    def __init__(
        self, node: str, number: int, clock: VirtualClock, random: Random, checks: Checks, transcript: Transcript
    ) -> None:
        super().__init__(clock, IMAGES, delays=Delays())
        self.node = node
        # Addresses and ids differ between machines.
        self._next = number << 16
        self._random = random
        self._checks = checks
        self._transcript = transcript
        self.scripts = {
            "task:1": Script(exits_after_s=TASK_S),
            LONG_IMAGE: Script(exits_after_s=LONG_S),
            "app:1": Script(term_after_s=0.5),
        }
        self.slow_s = 0.0
        self.failing_percent = 0
        self.doubles = False

    async def run_sandbox(self, config: cri.PodSandboxConfig, handler: str) -> str:
        async with _Call(self, "run sandbox", config.metadata.name):
            return await super().run_sandbox(config, handler)

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox_config: cri.PodSandboxConfig
    ) -> str:
        async with _Call(self, "create container", config.metadata.name):
            made = await super().create_container(sandbox_id, config, sandbox_config)
        if self.doubles and self._random.below(8) == 0:
            await self.start_container(await super().create_container(sandbox_id, config, sandbox_config))
        return made

    async def start_container(self, container_id: str) -> None:
        async with _Call(self, "start container", container_id[:8]):
            await super().start_container(container_id)
            self._note_start(container_id)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        async with _Call(self, "stop sandbox", sandbox_id[:8]):
            await super().stop_sandbox(sandbox_id)
            self.note_ends()

    async def stop_container(self, container_id: str, timeout_s: int) -> None:
        async with _Call(self, "stop container", container_id[:8]):
            await super().stop_container(container_id, timeout_s)
            self.note_ends()

    async def remove_container(self, container_id: str) -> None:
        await super().remove_container(container_id)
        self._checks.container_ended(container_id)

    async def list_sandboxes(self, uid: str = "") -> list[Sandbox]:
        self.note_ends()
        return await super().list_sandboxes(uid)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        for each in self._containers.values():
            if each.sandbox_id == sandbox_id:
                self._checks.container_ended(each.id)
        await super().remove_sandbox(sandbox_id)

    async def hints(self) -> AsyncIterator[Hint]:
        async for hint in super().hints():
            # Lost now and then, as the real stream does when its reader is slow.
            if self._random.below(10):
                yield hint

    def lose_power(self) -> None:
        """Everything stops at once; what the runtime wrote down is still there after the start."""
        for sandbox in self._sandboxes.values():
            sandbox.ready = False
        for each in self._containers.values():
            if self._state(each) is not State.EXITED:
                each.ends_at = self._clock.now()
                each.exit_code = 137
        self.note_ends()

    def forget_readers(self) -> None:
        """The kubelet died, and with it its streams."""
        self._readers.clear()

    def note_ends(self) -> None:
        for each in self._containers.values():
            if self._state(each) is State.EXITED:
                self._checks.container_ended(each.id)

    def running(self) -> list[str]:
        """`uid/name` of what runs."""
        return [self._label(each.id) for each in self._containers.values() if self._state(each) is State.RUNNING]

    def _note_start(self, container_id: str) -> None:
        self.note_ends()
        uid, _, name = self._label(container_id).partition("/")
        self._transcript.say(f"start {self.node} {uid} {name}")
        self._checks.container_started(self.node, uid, name, container_id)

    def _label(self, container_id: str) -> str:
        container = self._containers[container_id]
        sandbox = self._sandboxes[container.sandbox_id]
        return f"{sandbox.config.metadata.uid}/{container.config.metadata.name}"

    def chance(self, percent: int) -> bool:
        return percent > 0 and self._random.below(100) < percent

    async def take_time(self) -> None:
        usual_s = self.slow_s or 0.02
        await asyncio.sleep(usual_s * (1 + self._random.below(100)) / 100)


class _Call:
    """Time before and a failure before or after a call."""

    def __init__(self, runtime: SimRuntime, operation: str, target: str) -> None:
        self._runtime = runtime
        self._operation = operation
        self._target = target

    async def __aenter__(self) -> None:
        await self._runtime.take_time()
        if self._runtime.chance(self._runtime.failing_percent):
            raise EdgeError(self._operation, self._target, "simulated failure", outcome=Outcome.NOT_DONE)

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            return
        # The answer's way back: who asked may die before it hears that it was done.
        await self._runtime.take_time()
        if self._runtime.chance(self._runtime.failing_percent):
            raise EdgeError(self._operation, self._target, "simulated loss of the answer", outcome=Outcome.UNKNOWN)


class Machine:
    """name: also the node's. What survives a crash of the kubelet."""

    def __init__(self, name: str, number: int, clock: VirtualClock, runtime: SimRuntime) -> None:
        self.name = name
        self.address = f"192.168.0.{number}"
        self.clock = clock
        self.runtime = runtime
        self.host = FakeHost(cpu_count=4)
        # The kernel's rules: they outlive the proxy, and not the power.
        self.packets = FakePackets(4)
