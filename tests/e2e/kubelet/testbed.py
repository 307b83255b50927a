"""A node in a network namespace of its own: containerd with a bridge, test images, and what takes it all away.

The namespace is entered by this process, so that kubelet and tests reach pods by address.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from cybernetes.base.errors import EdgeError
from cybernetes.install import own_root
from cybernetes.install.oci import ImageConfig, pack, write_archive
from cybernetes.kubelet.runtime.cri import CriRuntime

PAUSE = "test.cybernetes/pause:1"
SHELL = "test.cybernetes/shell:1"
USER = "test.cybernetes/user:1"
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Testbed:
    """socket: of the private containerd; root: everything of the node is below it."""

    __test__ = False

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.socket = root / "containerd.sock"
        self.cgroup_root = f"/{name}"
        self._process: subprocess.Popen[bytes] | None = None

    def start_containerd(self) -> None:
        self._write_configuration()
        log = (self.root / "containerd.log").open("ab")
        self._process = subprocess.Popen(
            ["containerd", "--config", str(self.root / "containerd.toml")],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while self.ctr("version", check=False).returncode != 0:
            assert time.monotonic() < deadline, (self.root / "containerd.log").read_text()[-2000:]
            time.sleep(0.05)

    def kill_containerd(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def ctr(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["ctr", "--address", str(self.socket), "--namespace", "k8s.io", *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True)

    def load_images(self) -> None:
        pause = self._compile_pause()
        busybox = Path("/bin/busybox")
        applets = ("sh", "cat", "echo", "sleep", "ls", "id", "env", "nc", "httpd", "wget", "nslookup", "kill", "stat",
                   "touch", "date", "tail", "head", "hostname", "true", "false", "tar", "mount", "grep", "test", "dd",
                   "mkdir", "readlink", "ps", "printf", "seq", "wc", "mv", "chmod", "rm")  # fmt: skip
        links = self.root / "links"
        links.mkdir()
        files = {"/bin/busybox": busybox}
        for applet in applets:
            (links / applet).symlink_to("busybox")
            files[f"/bin/{applet}"] = links / applet
        environment = ["PATH=/bin"]
        self._load(PAUSE, {"/pause": pause}, ImageConfig(entrypoint=["/pause"]))
        self._load(SHELL, files, ImageConfig(command=["sh"], environment=environment))
        self._load(USER, files, ImageConfig(command=["id"], environment=environment, user="1234:1234"))

    def _compile_pause(self) -> Path:
        source = Path(__file__).resolve().parents[3] / "src/cybernetes/install/images/pause.c"
        out = self.root / "pause"
        subprocess.run(["cc", "-static", "-Os", "-s", "-o", str(out), str(source)], check=True)
        return out

    def _load(self, reference: str, files: dict[str, Path], config: ImageConfig) -> None:
        archive = self.root / "image.tar"
        write_archive(pack(files, config), reference, archive)
        self.ctr("images", "import", str(archive))

    def _write_configuration(self) -> None:
        conf = self.root / "cni"
        conf.mkdir(exist_ok=True)
        (conf / "10-test.conflist").write_bytes(orjson.dumps(_network(self.root)))
        (self.root / "containerd.toml").write_text(_configuration(self.root, self.socket, _runtime(self.root)))

    def clean(self) -> None:
        """End everything that was started here, and remove it."""
        if self._process is None:
            self.start_containerd()
        # Through the runtime first: only it takes network namespaces and addresses back.
        asyncio.run(_remove_sandboxes(str(self.socket)))
        for task in self.ctr("tasks", "ls", "-q", check=False).stdout.split():
            self.ctr("tasks", "kill", "--signal", "SIGKILL", "--all", task, check=False)
            self.ctr("tasks", "rm", "--force", task, check=False)
        for container in self.ctr("containers", "ls", "-q", check=False).stdout.split():
            self.ctr("containers", "rm", container, check=False)
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=60)
            self._process = None
        _unmount_below(self.root)
        _remove_cgroups(self.cgroup_root)
        shutil.rmtree(self.root, ignore_errors=True)


async def _remove_sandboxes(socket: str) -> None:
    runtime = CriRuntime(socket)
    try:
        for box in await runtime.list_sandboxes():
            await _remove(runtime, box.id)
    finally:
        await runtime.close()


async def _remove(runtime: CriRuntime, sandbox_id: str) -> None:
    """A container that was being started when its kubelet ended can't be removed before that has come to an end."""
    for _ in range(120):
        try:
            await runtime.stop_sandbox(sandbox_id)
            await runtime.remove_sandbox(sandbox_id)
            return
        except EdgeError:
            await asyncio.sleep(0.5)
    await runtime.remove_sandbox(sandbox_id)


def _network(root: Path) -> dict[str, object]:
    ranges = [[{"subnet": "10.77.0.0/16"}]]
    ipam = {"type": "host-local", "dataDir": str(root / "ipam"), "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True, "ipam": ipam}
    return {
        "cniVersion": "0.4.0",
        "name": "test",
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def _runtime(root: Path) -> str:
    return "runc" if own_root.is_own() else str(own_root.script("runc", root / "runtimes"))


def _configuration(root: Path, socket: Path, runtime: str) -> str:
    return f"""\
version = 2
root = "{root}/root"
state = "{root}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  disable_apparmor = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{runtime}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{root}/cni"
"""


@contextmanager
def running(name: str) -> Iterator[Testbed]:
    """A node of this name while the block runs; the test is skipped where there can be none."""
    if os.geteuid() != 0 or not shutil.which("containerd"):
        pytest.skip("needs root and containerd")
    bed = Testbed(Path(tempfile.mkdtemp(prefix="cyb-kubelet-")), name)
    with network_namespace(name):
        try:
            bed.start_containerd()
            bed.load_images()
            yield bed
        finally:
            bed.clean()


@contextmanager
def network_namespace(name: str) -> Iterator[None]:
    """This thread is in a new network namespace, with loopback up, while the block runs."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    inside = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        _enter(inside)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        _enter(before)
        os.close(before)
        os.close(inside)
        subprocess.run(["ip", "netns", "delete", name], check=False)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _unmount_below(root: Path) -> None:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((each for each in points if each.startswith(f"{root}/")), key=len, reverse=True):
        subprocess.run(["umount", "-l", point], check=False)


def _remove_cgroups(root: str) -> None:
    for hierarchy in Path("/sys/fs/cgroup").iterdir():
        top = hierarchy / root.strip("/")
        if top.is_dir():
            for folder, _, _ in os.walk(top, topdown=False):
                for _ in range(50):
                    try:
                        Path(folder).rmdir()
                        break
                    except OSError:
                        time.sleep(0.02)
