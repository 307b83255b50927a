"""What containerd calls for its shim: says where the shim listens, and leaves all else to the real one."""

import json
import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from cybernetes.install import programs

SANDBOX, CONTAINER = "a" * 64, "b" * 64
SOCKETS = Path("/run/containerd/s")


class Machine:
    """Bundles below `root`, and a real shim that writes down how it was called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.called = root / "called"
        for each in ("starter", "real"):
            (root / each).mkdir()
        programs.place_shim(root / "starter", 2)
        real = root / "real" / programs.SHIM
        real.write_text(f'#!/bin/sh\necho "$@" >{self.called}.new; readlink /proc/self/fd/3 >>{self.called}.new\n')
        with real.open("a") as script:
            script.write(f"mv {self.called}.new {self.called}; echo the real one\n")
        real.chmod(0o755)

    def bundle(self, name: str, notes: dict[str, str]) -> Path:
        folder = self.root / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"ociVersion": "1.0.2", "annotations": notes}))
        return folder

    def call(self, folder: Path, action: str = "start") -> str:
        flags = ["-namespace", "k8s.io", "-address", "/c.sock", "-publish-binary", "/c", "-id", folder.name, action]
        path = f"{self.root}/starter:{self.root}/real:{os.environ['PATH']}"
        done = subprocess.run(
            [self.root / "starter" / programs.SHIM, *flags],
            cwd=folder, env={"PATH": path}, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        return done.stdout.decode()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_container_has_the_shim_of_its_sandbox(machine: Machine) -> None:
    sandbox = machine.bundle(SANDBOX, {})
    container = machine.bundle(CONTAINER, {"io.kubernetes.cri.sandbox-id": SANDBOX})
    place = machine.root / "s"
    (sandbox / "address").write_text(f"unix://{place}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        assert machine.call(container) == f"unix://{place}"
    assert (container / "address").read_text() == f"unix://{place}"
    assert not machine.called.exists()


@pytest.mark.parametrize("group", [SANDBOX, "c" * 64, "../" + SANDBOX[3:]])
def test_a_shim_that_does_not_answer_is_left_to_the_real_one(machine: Machine, group: str) -> None:
    sandbox = machine.bundle(SANDBOX, {})
    (sandbox / "address").write_text(f"unix://{machine.root}/s")
    assert machine.call(machine.bundle(CONTAINER, {"io.kubernetes.cri.sandbox-id": group})) == "the real one\n"
    assert machine.called.read_text().startswith(
        f"-namespace k8s.io -address /c.sock -publish-binary /c -id {CONTAINER}"
    )


def test_a_group_of_another_name_and_other_actions_are_left_to_the_real_one(machine: Machine) -> None:
    grouped = {"io.kubernetes.cri.sandbox-id": SANDBOX, "io.containerd.runc.v2.group": "g"}
    assert machine.call(machine.bundle(CONTAINER, grouped)) == "the real one\n"
    own = machine.bundle(SANDBOX, {"io.kubernetes.cri.sandbox-id": SANDBOX})
    assert machine.call(own, "delete") == "the real one\n"
    assert not (own / "address").exists()


@pytest.mark.privileged
def test_a_sandbox_s_shim_is_started_with_the_socket_that_is_told(machine: Machine) -> None:
    SOCKETS.mkdir(parents=True, exist_ok=True)
    name = os.urandom(32).hex()
    place = SOCKETS / name
    try:
        sandbox = machine.bundle(name, {"io.kubernetes.cri.sandbox-id": name})
        assert machine.call(sandbox) == f"unix://{place}"
        assert (sandbox / "address").read_text() == f"unix://{place}"
        # The real one is a script here: it has been called when its socket is closed.
        with socket.socket(socket.AF_UNIX) as asked, suppress(ConnectionError):
            asked.connect(str(place))
            asked.recv(1)
        called, listens = machine.called.read_text().splitlines()
        assert called == f"-namespace k8s.io -id {name} -address /c.sock"
        assert listens.startswith("socket:")
    finally:
        place.unlink(missing_ok=True)


def test_containerd_2_keeps_its_own(tmp_path: Path) -> None:
    programs.place_shim(tmp_path, 2)
    assert (tmp_path / programs.SHIM).exists()
    programs.place_shim(tmp_path, 3)
    assert list(tmp_path.iterdir()) == []
