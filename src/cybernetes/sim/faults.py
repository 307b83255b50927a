"""What goes wrong, drawn from the seed: when, what, for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from cybernetes.base.random import Random
from cybernetes.sim.machine import Machine
from cybernetes.sim.world import SECOND, World

# Kinds and how often each is drawn.
KINDS = (
    ("kill-server", 3),
    ("power-server", 3),
    ("kill-server-at-commit", 3),
    ("kill-at-request", 6),
    ("kill-component", 4),
    ("power-node", 2),
    ("partition", 3),
    ("lossy-network", 3),
    ("slow-network", 2),
    ("cut-watches", 3),
    ("compact", 3),
    ("slow-disk", 3),
    ("full-disk", 1),
    ("broken-disk", 1),
    ("clock-step", 2),
    ("slow-runtime", 2),
    ("failing-runtime", 2),
    ("runtime-down", 1),
)
# A group of writes later.
COMPACTS_S = 0.1
PARTS = (
    "controllers",
    "controllers-standby",
    "scheduler",
    "kubelet-node-1",
    "kubelet-node-2",
    "kubelet-node-3",
    "proxy-node-1",
)


class Fault(msgspec.Struct, frozen=True):
    """number: which machine or component, how many, how strong; what it means depends on the kind."""

    at_s: float
    kind: str
    for_s: float
    number: int

    def __str__(self) -> str:
        return f"{self.kind} at {self.at_s:.2f} for {self.for_s:.2f} ({self.number})"


def draw(random: Random, within_s: float) -> list[Fault]:
    """None to eight faults, by time."""
    found = [
        Fault(
            at_s=within_s * random.below(10_000) / 10_000,
            kind=_kind(random),
            for_s=0.2 + 12.0 * random.below(1000) ** 2 / 1_000_000,
            number=random.below(1 << 16),
        )
        for _ in range(random.below(9))
    ]
    return sorted(found, key=lambda fault: fault.at_s)


def _kind(random: Random) -> str:
    drawn = random.below(sum(weight for _, weight in KINDS))
    for kind, weight in KINDS:
        drawn -= weight
        if drawn < 0:
            return kind
    raise AssertionError


class Faults:
    """`run` does them; afterwards everything is whole again, or about to start."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, plan: list[Fault]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for fault in plan:
                await asyncio.sleep(max(0.0, began + fault.at_s - loop.time()))
                group.create_task(self._do(fault), name=fault.kind)
        self._world.traps.clear()

    async def _do(self, fault: Fault) -> None:
        world, number = self._world, fault.number
        world.transcript.say(f"fault {fault}")
        world.workloads.calm = False
        machine = world.machines[number % len(world.machines)]
        back_after_s = fault.for_s / 2
        match fault.kind:
            case "kill-server" if number & 1 and SECOND in world.components:
                world.components[SECOND].kill(back_after_s=back_after_s)
            case "kill-server" | "power-server":
                world.kill_server(power=fault.kind == "power-server", back_after_s=back_after_s)
            case "kill-server-at-commit":
                world.disk.on_commit = self._counted(number % 30, lambda: world.kill_server(power=bool(number & 64)))
            case "kill-at-request":
                self._trap(PARTS[number % len(PARTS)], number >> 4)
            case "kill-component":
                world.components[PARTS[number % len(PARTS)]].kill(back_after_s=max(1.0, back_after_s))
            case "power-node":
                await self._during(fault, lambda: world.lose_power(machine), lambda: world.restore_power(machine))
            case "partition":
                await self._during(
                    fault, lambda: world.network.cut_off(machine.name), lambda: world.network.heal(machine.name)
                )
            case "cut-watches":
                world.transcript.say(f"cut {world.network.sever_some(1 + number % 4)} watches")
            case "compact":
                world.compact()
                await asyncio.sleep(COMPACTS_S)
                # A new server remembers no events: watches that come back ask for what is forgotten, and get 410.
                world.kill_server(power=False)
            case "clock-step":
                clock = world.clock if number % 4 == 0 else machine.clock
                clock.step(number % 121 - 60)
            case "runtime-down" | "slow-runtime" | "failing-runtime":
                await self._on_runtime(fault, machine)
            case "lossy-network" | "slow-network":
                await self._on_network(fault)
            case _:
                await self._on_disk(fault)

    def _trap(self, part: str, number: int) -> None:
        """Kill a component just when one of its next requests has arrived, or was answered."""
        kill = self._world.components[part].kill
        self._world.traps[part] = (bool(number & 1), self._counted(number % 12, kill))

    def _counted(self, count: int, work: Callable[[], None]) -> Callable[[], bool]:
        """Called again and again, does `work` at the `count`-th time; whether it did."""
        left = count

        def call() -> bool:
            nonlocal left
            left -= 1
            if left == -1:
                work()
            return left < 0

        return call

    async def _during(self, fault: Fault, begin: Callable[[], None], end: Callable[[], None]) -> None:
        begin()
        await asyncio.sleep(fault.for_s)
        self._world.transcript.say(f"over {fault.kind}")
        end()

    async def _on_runtime(self, fault: Fault, machine: Machine) -> None:
        runtime = machine.runtime
        match fault.kind:
            case "runtime-down":
                runtime.down = True
            case "slow-runtime":
                runtime.slow_s = 1.5
            case _:
                runtime.failing_percent = 30

        def end() -> None:
            runtime.down, runtime.slow_s, runtime.failing_percent = False, 0.0, 0

        await self._during(fault, lambda: None, end)

    async def _on_network(self, fault: Fault) -> None:
        network = self._world.network
        if fault.kind == "lossy-network":
            network.loss_per_mille = 20 + fault.number % 200
        else:
            network.delay_s = 0.02 * (1 + fault.number % 10)

        def end() -> None:
            network.loss_per_mille, network.delay_s = 0, 0.001

        await self._during(fault, lambda: None, end)

    async def _on_disk(self, fault: Fault) -> None:
        disk = self._world.disk
        match fault.kind:
            case "slow-disk":
                disk.slow_s = 0.05 * (1 + fault.number % 16)
            case "full-disk":
                disk.full = True
            case _:
                disk.broken = True

        def end() -> None:
            disk.slow_s, disk.full, disk.broken = 0.0, False, False

        await self._during(fault, lambda: None, end)
