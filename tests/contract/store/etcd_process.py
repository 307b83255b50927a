"""A private etcd server for tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from cybernetes.install.machine import free_port


def need_etcd() -> None:
    if shutil.which("etcd") is None:
        pytest.skip("etcd is not installed: apt-get install etcd-server")


class EtcdProcess:
    """Listens on `endpoint` of this machine until `stop`; `start` again keeps its data. Skips where etcd is missing."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        need_etcd()
        self._folder = folder
        self._port = free_port(0)
        self.endpoint = f"127.0.0.1:{self._port}"
        client = f"{'https' if '--cert-file' in arguments else 'http'}://{self.endpoint}"
        peer = f"http://127.0.0.1:{free_port(0)}"
        self._command = [
            *("etcd", "--data-dir", str(folder / "data"), "--log-level", "error", "--unsafe-no-fsync"),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"default={peer}"),
            # What an etcd that answers no progress requests offers instead.
            *("--experimental-watch-progress-notify-interval", "100ms"),
            *arguments,
        ]
        self.start()

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        for _ in range(1200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text())

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """It answers nobody when this returns; `resume` takes that back."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)
