"""A control plane of its own for a measurement: real processes, TLS, a real store, in a folder that goes afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cybernetes.base.errors import EdgeError
from cybernetes.bench.connection import Connection, connect
from cybernetes.client import kubeconfig
from cybernetes.install import machine, pki
from cybernetes.run import config as cluster_config
from cybernetes.run import files
from cybernetes.run.config import ApiServerConfig, ClusterConfig, NetworkConfig, NodeConfig
from cybernetes.run.layout import Layout
from cybernetes.wire.http.tls import client_context

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
LOOK_S = 0.01
LOGGED = re.compile(r"\d{4}-\d\d-\d\dT")
USUAL_NETWORK = NetworkConfig()
RUN = "from cybernetes.cli.main import main; main()"


class Plane:
    """`start` begins a component; all end with `running`."""

    def __init__(self, layout: Layout, config: ClusterConfig) -> None:
        self.layout = layout
        self.config = config
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        return self.config.server_url

    def start(self, name: str) -> None:
        """A component, or one more process of it: `apiserver`, `apiserver-2`, ..."""
        command = [sys.executable, "-c", RUN, component_of(name), "--data-dir", str(self.layout.data_dir)]
        with self.layout.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                # A session of its own, as under the supervisor: the kernel shares the processor among sessions.
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    async def wait_logged(self, component: str, event: str) -> None:
        """Until the component logged the event. Raises EdgeError with its last words."""
        log = self.layout.log(component)
        deadline = time.monotonic() + START_TIMEOUT_S
        while event not in (text := log.read_text()):
            if time.monotonic() > deadline or self.processes[component].poll() is not None:
                raise EdgeError("start", component, last_words(text))
            await asyncio.sleep(LOOK_S)

    def pid(self, component: str) -> int:
        return self.processes[component].pid

    def pids(self, component: str) -> list[int]:
        """Of all processes of a component; the store's is one of the API server's."""
        names = {component, "store"} if component == "apiserver" else {component}
        return [each.pid for name, each in self.processes.items() if component_of(name) in names]

    async def connections(self, count: int, user: str = "") -> list[Connection]:
        """Connections as whom no limit holds up, or as a component."""
        found = self.layout.kubeconfig(user) if user else files.super_admin_kubeconfig(self.layout)
        access = kubeconfig.access(kubeconfig.load([found]))
        tls = client_context(access.authority, access.certificate, access.key)
        return [await connect(self.url, tls) for _ in range(count)]

    async def wait_serving(self) -> None:
        """Until the API server says that it is ready. Raises EdgeError with its last words."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.processes["apiserver"].poll() is None:
            with contextlib.suppress(OSError):
                (probe,) = await self.connections(1)
                status, _ = await probe.call("GET", "/readyz")
                probe.close()
                if status == 200:
                    return
            await asyncio.sleep(LOOK_S)
        raise EdgeError("start", "apiserver", last_words(self.layout.log("apiserver").read_text()))

    def check_running(self) -> None:
        """Raises EdgeError with the last words of a component that ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise EdgeError("run", name, f"it ended: {last_words(self.layout.log(name).read_text())}")

    def revive(self, component: str) -> bool:
        """Start a component again that ended, as the supervisor would; whether it had to."""
        ended = self.processes[component].poll() is not None
        if ended:
            self.start(component)
        return ended

    def stop(self) -> None:
        for each in reversed(self.processes.values()):
            each.terminate()
        for each in self.processes.values():
            try:
                each.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()


def component_of(name: str) -> str:
    return re.sub(r"-\d+$", "", name)


def last_words(log: str) -> str:
    """Of a log the last lines that were written as such, then whatever else stands at its end."""
    lines = log.splitlines()
    logged = [line for line in lines if LOGGED.match(line)][-3:]
    rest = [line for line in lines[-10:] if line not in logged]
    return "\n".join(line[:400] for line in [*logged, *rest])


@contextlib.contextmanager
def running(
    components: tuple[str, ...] = ("apiserver",),
    folder: Path | None = None,
    *,
    nodes: tuple[NodeConfig, ...] = (),
    network: NetworkConfig = USUAL_NETWORK,
    servers: int = 1,
) -> Iterator[Plane]:
    """A control plane on loopback below a temporary folder (in `folder`, if given); these components run.

    servers: how many API servers there may be; the first is a component, others are started by name.
    """
    with tempfile.TemporaryDirectory(prefix="cybernetes-bench-", dir=folder) as place:
        layout = Layout(Path(place))
        for each in (layout.run, layout.logs):
            each.mkdir(parents=True)
        api_server = ApiServerConfig(port=machine.free_port(0), processes=servers)
        config = ClusterConfig(only=components, api_server=api_server, nodes=nodes, network=network)
        cluster_config.write(layout.config, config)
        pki.ensure(config, layout)
        plane = Plane(layout, config)
        try:
            for name in (*(("store",) if config.has_store_process else ()), *components):
                plane.start(name)
            yield plane
        finally:
            plane.stop()
