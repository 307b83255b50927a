"""Several API servers on one store and one port, as processes that can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.contract.store.etcd_process import EtcdProcess

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import EdgeError
from cybernetes.client.api import ApiClient
from cybernetes.client.kubeconfig import connect
from cybernetes.install import pki
from cybernetes.install.machine import free_port
from cybernetes.run import config as cluster_config
from cybernetes.run import control, files
from cybernetes.run.config import ApiServerConfig, ClusterConfig, StoreConfig
from cybernetes.run.layout import Layout
from cybernetes.run.supervise import ProcessStatus

PROGRAM = "from cybernetes.cli.main import main; main()"
PATIENCE_S = 60


class Servers:
    def __init__(self, layout: Layout, port: int) -> None:
        self.layout = layout
        self.port = port

    def command(self, *verb_and_options: str, patience_s: float = PATIENCE_S) -> str:
        words = [sys.executable, "-c", PROGRAM, *verb_and_options, "--data-dir", str(self.layout.data_dir)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=patience_s, check=False)
        assert done.returncode == 0, f"{verb_and_options}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def client(self) -> ApiClient:
        """With connections of its own: they may lead to any of the servers."""
        return connect(self.layout.admin_kubeconfig, user_agent="test", clock=SystemClock())

    def processes(self) -> dict[str, ProcessStatus]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return {each.name: each for each in control.status(self.layout.control_socket)}
            except EdgeError:
                # The supervisor hangs up on who is too slow to ask, as a process of a busy machine may be.
                if time.monotonic() > deadline:
                    raise

    def kill(self, name: str) -> None:
        pid = self.processes()[name].pid
        assert pid, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)

    def wait_back(self, name: str, restarts: int) -> None:
        """Until a process that was killed serves again."""
        deadline, now = time.monotonic() + PATIENCE_S, None
        while now is None or not (now.ready and now.restarts > restarts):
            assert time.monotonic() < deadline, f"{name} does not come back: {now}"
            time.sleep(0.02)
            now = self.processes()[name]


@contextlib.contextmanager
def several_servers(folder: Path, store: str, count: int = 2, arguments: Mapping[str, str] = {}) -> Iterator[Servers]:
    """So many API servers on `sqlite` or `etcd`, with these flags, until the block ends. Skips where etcd is missing."""
    layout, port, etcd = Layout(folder / "cluster"), free_port(0), None
    config = ClusterConfig(only=("apiserver",), api_server=ApiServerConfig(port=port))
    if store == "etcd":
        layout.pki.mkdir(parents=True)
        pki.ensure(config, layout)
        etcd = own_etcd(folder, layout)
        config = ClusterConfig(
            only=config.only, api_server=config.api_server, store=StoreConfig(kind="etcd", endpoints=(etcd.endpoint,))
        )
    cluster_config.write(folder / "wanted.yaml", config)
    servers = Servers(layout, port)
    try:
        flags = [word for name, value in arguments.items() for word in ("--apiserver-arg", f"{name}={value}")]
        servers.command("up", "--config", str(folder / "wanted.yaml"), "--apiservers", str(count), *flags)
        yield servers
    finally:
        with contextlib.suppress(AssertionError):
            servers.command("down", "--keep-data")
        if etcd is not None:
            etcd.stop()


def own_etcd(folder: Path, layout: Layout) -> EtcdProcess:
    """With the server certificate of the data directory."""
    place, server = folder / "etcd", files.etcd_server(layout)
    place.mkdir()
    return EtcdProcess(
        place,
        *("--cert-file", str(server.certificate), "--key-file", str(server.key)),
        *("--client-cert-auth", "--trusted-ca-file", str(files.etcd_ca(layout).certificate)),
    )
