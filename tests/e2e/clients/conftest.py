"""One control plane without nodes for the clients of this folder, a namespace for each test."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.clients.binaries import program
from tests.e2e.clients.calling import Caller
from tests.e2e.clients.shell import Shell

CYBERNETES = Path(sys.executable).parent / "cybernetes"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Path]:
    """The kubeconfig of an administrator: API server, controllers and scheduler, as processes."""
    folder = Path(tempfile.mkdtemp(prefix="cyb-clients-"))
    chosen = ("--only", "apiserver,controller-manager,scheduler", "--data-dir", str(folder))
    try:
        done = subprocess.run(
            [str(CYBERNETES), "up", *chosen], capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        kubeconfig = folder / "admin.kubeconfig"
        # Controllers are at work once the first account is there.
        administrator = Shell(program("kubectl", 37), kubeconfig, "default", folder)
        administrator.run("wait", "--for=create", "serviceaccount/default", "--timeout=100s")
        yield kubeconfig
    finally:
        subprocess.run([str(CYBERNETES), "down", "--data-dir", str(folder)], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by all clients: discovery is cached in it, as on a user's machine."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def shell(control_plane: Path, home: Path) -> Iterator[Callable[[str, int], Shell]]:
    """shell("kubectl", 37): the program of a minor version, in a new namespace that is deleted afterwards."""
    namespace = f"clients-{next(_numbers)}"
    administrator = Shell(program("kubectl", 37), control_plane, "default", home)
    administrator.run("create", "namespace", namespace)
    yield lambda name, minor: Shell(program(name, minor), control_plane, namespace, home)
    administrator.run("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def kubectl(shell: Callable[[str, int], Shell]) -> Shell:
    return shell("kubectl", 37)


@pytest.fixture
def caller(kubectl: Shell, control_plane: Path, home: Path) -> Caller:
    return Caller(control_plane, kubectl.namespace, home)
