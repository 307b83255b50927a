"""A whole cluster in one process: an API server on its disk, controllers, a scheduler, nodes, a network.

enters   a seed, a folder, the disk of an earlier cluster or an empty one
leaves   a transcript; violations
holds    everything that happens follows from the seed
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cache
from pathlib import Path

import apsw
import msgspec

from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.registry import Registry
from cybernetes.apiserver.server import ApiServer
from cybernetes.auth import pki
from cybernetes.auth.user import AUTHENTICATED, MASTERS, NODE_PREFIX, NODES, User
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.base.random import Random, SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.controllers.manager import ControllerManager, ManagerConfig
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.loop import Kubelet
from cybernetes.proxy.config import ProxyConfig
from cybernetes.proxy.dataplane import TableDataplane
from cybernetes.proxy.loop import Proxy
from cybernetes.proxy.packets.fake import FakePackets
from cybernetes.proxy.state import PortView
from cybernetes.scheduler.loop import Scheduler
from cybernetes.sim.checks import Checks
from cybernetes.sim.components import Component, Serve
from cybernetes.sim.disk import BELOW, Disk, DiskLayer, Launcher
from cybernetes.sim.loop import EPOCH, Owner, VirtualClock
from cybernetes.sim.machine import Machine, SimRuntime
from cybernetes.sim.plants import Plant
from cybernetes.sim.recorded import RecordedStore
from cybernetes.sim.transcript import Transcript
from cybernetes.sim.transport import Door, Network, SimTransport
from cybernetes.sim.truth import Truth
from cybernetes.sim.workloads import WorkloadChecks
from cybernetes.store.retention import retain
from cybernetes.store.sqlite.store import SqliteStore
from cybernetes.wire.http.message import Request, Response

# The API server that has no store of its own, where there are two.
SECOND = "apiserver-2"
NODE_COUNT = 3
CPU_MILLI = 4000
# The machine of the API server, controllers and scheduler.
MASTER = "master"
# Later than what the earlier cluster wrote into its leases; a new minute begins ten seconds after the start.
STARTED_AFTER_S = 150.0

ADMIN = User("kubernetes-admin", groups=(MASTERS, AUTHENTICATED))
SCHEDULER = User("system:kube-scheduler", groups=(AUTHENTICATED,))
PROXY = User("system:kube-proxy", groups=(AUTHENTICATED,))
MANAGER = User("system:kube-controller-manager", groups=(MASTERS, AUTHENTICATED))
_PART_OF = {SCHEDULER.name: "scheduler", MANAGER.name: "controllers", PROXY.name: "proxy-node-1"}


class World:
    """components: by name. machines: the nodes'. doors: of the API servers; a second one works on the first one's store."""

    def __init__(
        self, seed: int, folder: Path, plant: Plant, *, before: Path | None = None, two_servers: bool = False
    ) -> None:
        loop = asyncio.get_running_loop()
        self.transcript = Transcript(loop)
        self.truth = Truth()
        self.checks = Checks(self.truth, self.transcript, CPU_MILLI)
        self.workloads = WorkloadChecks(self.truth, self.transcript)
        self.network = Network(SeededRandom(seed + 1), self.transcript)
        self.doors = [Door(self._seen) for _ in range(2 if two_servers else 1)]
        self.disk = Disk(folder, SeededRandom(seed + 2))
        self._layer = DiskLayer(self.disk)
        self._plant = plant
        self.disk.lying = plant.lying_disk
        if before is not None:
            shutil.copyfile(before, self.disk.path)
        self.clock = VirtualClock(loop, EPOCH + (STARTED_AFTER_S if before is not None else 0))
        self.registry = Registry()
        self.server: ApiServer | None = None
        self.store: RecordedStore | None = None
        # Component -> (whether after the answer, what to do; True once it is done).
        self.traps: dict[str, tuple[bool, Callable[[], bool]]] = {}
        self._power_lost = False
        # Not freed: closing a database writes to it, and who lost its power does not.
        self._opened: list[SqliteStore] = []
        self.machines = [self._machine(f"node-{n}", n, seed) for n in range(1, NODE_COUNT + 1)]
        self.components = {
            each.name: each
            for each in (
                self._component("apiserver", self._serve_api, seed),
                *(self._component(SECOND, self._serve_second, seed) for _ in self.doors[1:]),
                self._component("controllers", self._serve_controllers, seed),
                self._component("controllers-standby", self._serve_controllers, seed),
                self._component("scheduler", self._serve_scheduler, seed),
                *(self._kubelet(machine, seed) for machine in self.machines),
                # One is enough: each does the same on its own node.
                self._proxy(self.machines[0], seed),
            )
        }

    def start(self) -> None:
        for component in self.components.values():
            component.start()

    def machine_of(self, component: str) -> Machine | None:
        return next((each for each in self.machines if component == f"kubelet-{each.name}"), None)

    def client(self, agent: str, user: User, machine: str = MASTER) -> ApiClient:
        transport = SimTransport(self.network, self.doors, machine, user, self._watched)
        return ApiClient(transport, user_agent=agent, clock=self.clock)

    def lose_power(self, machine: Machine) -> None:
        self.transcript.say(f"power lost {machine.name}")
        for component in self._components_of(machine):
            component.kill(back_after_s=None)
        machine.runtime.lose_power()
        machine.packets = FakePackets(4)

    def restore_power(self, machine: Machine) -> None:
        self.transcript.say(f"power back {machine.name}")
        for component in self._components_of(machine):
            component.release()

    def compact(self) -> None:
        """Forget history up to now, as retention does after some minutes: watches that come back must list again."""
        if self.store is not None:
            self.doors[0].inside(_compact(self.store))

    def kill_server(self, *, power: bool, back_after_s: float = 1.0) -> None:
        """power: what was not synced may be lost, too."""
        self._power_lost = power
        self.components["apiserver"].kill(back_after_s=back_after_s)

    # What components are made of.

    def _machine(self, name: str, number: int, seed: int) -> Machine:
        clock = VirtualClock(asyncio.get_running_loop(), self.clock.now())
        random = SeededRandom(seed + 100 + number)
        runtime = SimRuntime(name, number, clock, random, self.checks, self.transcript)
        runtime.doubles = self._plant.doubles
        return Machine(name, number, clock, runtime)

    def _component(self, name: str, serve: Serve, seed: int) -> Component:
        return Component(name, serve, seed, self.transcript, self._gone)

    def _kubelet(self, machine: Machine, seed: int) -> Component:
        async def serve(random: Random) -> None:
            user = User(f"{NODE_PREFIX}{machine.name}", groups=(NODES, AUTHENTICATED))
            config = KubeletConfig(node_name=machine.name, node_ip=machine.address)
            client = self.client("kubelet", user, machine.name)
            await Kubelet(client, machine.runtime, machine.clock, random, config, machine.host).run()

        return self._component(f"kubelet-{machine.name}", serve, seed)

    def _proxy(self, machine: Machine, seed: int) -> Component:
        async def serve(random: Random) -> None:
            client = self.client("kube-proxy", PROXY, machine.name)
            config = ProxyConfig(node=machine.name, bind="127.0.0.1", health_port=0, metrics_port=0)
            planes = [TableDataplane(machine.packets)]
            await Proxy(client, planes, _NoFlows(), machine.clock, random, config).run()

        return self._component(f"proxy-{machine.name}", serve, seed)

    def _components_of(self, machine: Machine) -> list[Component]:
        names = (f"kubelet-{machine.name}", f"proxy-{machine.name}")
        return [self.components[name] for name in names if name in self.components]

    async def _serve_controllers(self, random: Random) -> None:
        config = ManagerConfig(
            identity=f"master_{random.below(1 << 32):x}", root_ca="PEM", pod_ranges=(("10.244.0.0/16", 24),)
        )
        client = self.client("kube-controller-manager", MANAGER)
        await ControllerManager(client, self.clock, random, config).run()

    async def _serve_scheduler(self, random: Random) -> None:
        client = self.client("kube-scheduler", SCHEDULER)
        await Scheduler(client, clock=self.clock, random=random, host=MASTER).run()

    async def _serve_api(self, random: Random) -> None:
        store = await SqliteStore.open(self.disk.path, clock=self.clock, launch=Launcher(self.disk, random))
        self._opened.append(store)
        self.truth.follow(self.disk.path)
        self.checks.reopened(await store.revision())
        self.truth.look()
        recorded = self.store = RecordedStore(store, self.checks, self._plant.alter)
        async with asyncio.TaskGroup() as group:
            group.create_task(retain(recorded, self.clock), name="store.retention")
            self.server = ApiServer(recorded, self._server_config(), self.clock, random, registry=self.registry)
            await self._serve(self.server, self.doors[0])

    async def _serve_second(self, random: Random) -> None:
        if self.store is None or not self.doors[0].listening:
            raise EdgeError("open", "store", "nobody has opened it yet", outcome=Outcome.NOT_DONE)
        await self._serve(ApiServer(self.store, self._server_config(), self.clock, random), self.doors[1])

    async def _serve(self, server: ApiServer, door: Door) -> None:
        await server.start()
        door.open(lambda user, request: server.handle_as(user, request), contextvars.copy_context())
        await server.wait()

    def _server_config(self) -> ServerConfig:
        return msgspec.structs.replace(_server_config(), shared_store=len(self.doors) > 1)

    def _gone(self, owner: Owner) -> None:
        self.network.forget(owner)
        if owner.name == SECOND:
            self.doors[1].close()
        if owner.name == "apiserver":
            self.doors[0].close()
            self.server = self.store = None
            self.truth.look()
            self.truth.leave()
            self.disk.lose_power(keeps_all=not self._power_lost)
            self._power_lost = False
            if SECOND in self.components:
                # Its store is gone.
                self.components[SECOND].kill()
        machine = self.machine_of(owner.name)
        if machine is not None:
            machine.runtime.forget_readers()

    def _watched(self, request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return self.checks.watch(request, self._plant.harm(chunks))

    def _seen(self, user: User, request: Request, response: Response | None) -> None:
        self.checks.request(user, request, response)
        if response is not None:
            self.transcript.say(f"{user.name} {request.method} {request.path} {response.status}")
        part = _PART_OF.get(user.name, "kubelet-" + user.name.removeprefix(NODE_PREFIX))
        trap = self.traps.get(part)
        if trap is not None and trap[0] == (response is not None) and trap[1]():
            del self.traps[part]


async def _compact(store: RecordedStore) -> None:
    # A store that fails tells so to everybody else, too.
    with contextlib.suppress(EdgeError):
        await store.compact(await store.revision())


class _NoFlows:
    """Connections are not simulated, so none is ever stale."""

    async def clean(self, _views: Sequence[PortView]) -> int:
        return 0


@cache
def _server_config() -> ServerConfig:
    terms = pki.Terms(EPOCH, SeededRandom(1))
    return ServerConfig(
        client_authorities=pki.ca("simulated", terms).certificate,
        service_account_key=pki.new_key(SeededRandom(2)),
    )


def copy_database(folder: Path, to: Path) -> None:
    """The database of a stopped server, its WAL folded in, as one file."""
    connection = apsw.Connection(str(folder / "state.db"), vfs=BELOW)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    shutil.copyfile(folder / "state.db", to)
