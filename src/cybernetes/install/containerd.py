"""Writes the configuration of a node's own containerd, for what this kernel and this containerd allow.

A containerd or Docker already on the machine is never touched: root, state, socket and CNI
folder are the node's own.

source  containerd's docs/cri/config.md and docs/hosts.md; config version 2 (1.x) and 3 (2.x)
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.install import cgroups, own_root
from cybernetes.run.layout import NodeLayout

PAUSE_IMAGE = "registry.cybernetes/pause:1"
_CAP_SYS_RESOURCE = 24
_CRUN_MIN = (1, 8)
# Installs programs for `ctr install`. It has every program that containerd starts look for its libraries in a folder of
# its own and, by an empty name, in the working directory: some 140 files at each call of crun.
_OPT = "io.containerd.internal.v1.opt"
_CNI_BINARIES = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))


class RegistryHost(msgspec.Struct, frozen=True):
    """How a registry's name in image references is reached: over TLS, with the cluster's certificates."""

    name: str
    server: str
    ca: Path
    certificate: Path
    key: Path


class Capabilities(msgspec.Struct, frozen=True):
    """What decides settings: found out by looking, never assumed."""

    config_version: int
    may_lower_oom_score: bool
    systemd_cgroup: bool
    cni_binaries: Path
    root_is_own: bool
    crun: bool


def probe() -> Capabilities:
    """Look at this machine. Raises EdgeError that says which package is missing."""
    effective = int(re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())[1], 16)  # type: ignore[index]
    return Capabilities(
        config_version=3 if _major_version() >= 2 else 2,
        may_lower_oom_score=bool(effective >> _CAP_SYS_RESOURCE & 1),
        systemd_cgroup=False,
        cni_binaries=_cni_binaries(),
        root_is_own=own_root.is_own(),
        crun=_has_crun() and not cgroups.stray_controllers(),
    )


def _has_crun() -> bool:
    if not shutil.which("crun"):
        return False
    printed = subprocess.run(["crun", "--version"], capture_output=True, text=True, check=False).stdout
    return crun_is_recent(printed)


def crun_is_recent(printed: str) -> bool:
    """Whether `crun --version` tells of one that is known to do all that a kubelet asks for."""
    found = re.search(r"crun version (\d+)\.(\d+)", printed)
    return found is not None and tuple(map(int, found.groups())) >= _CRUN_MIN


def _major_version() -> int:
    if not shutil.which("containerd"):
        raise _missing("containerd")
    printed = subprocess.run(["containerd", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\sv?(\d+)\.\d+", printed)
    if found is None:
        raise EdgeError("read version of", "containerd", f"cannot read {printed!r}", retry=Retry.NEVER)
    return int(found[1])


def _cni_binaries() -> Path:
    for folder in _CNI_BINARIES:
        if (folder / "bridge").exists() and (folder / "host-local").exists():
            return folder
    raise _missing("containernetworking-plugins")


def _missing(package: str) -> EdgeError:
    return EdgeError(
        "find", package, f"not installed; run: apt-get install {package}", outcome=Outcome.NOT_DONE, retry=Retry.NEVER
    )


def write_configuration(node: NodeLayout, capabilities: Capabilities, registries: Sequence[RegistryHost]) -> None:
    for folder in (node.containerd_root, node.containerd_state, node.cni_conf, node.cni_state, node.registry_hosts):
        folder.mkdir(parents=True, exist_ok=True)
    node.containerd_config.write_text(render(node, capabilities))
    for each in registries:
        hosts = node.registry_hosts / each.name / "hosts.toml"
        hosts.parent.mkdir(parents=True, exist_ok=True)
        hosts.write_text(_render_host(each, capabilities))


def runtimes(capabilities: Capabilities) -> tuple[str, ...]:
    """Those that there are."""
    return ("runc", "crun") if capabilities.crun else ("runc",)


def _default_runtime(capabilities: Capabilities) -> str:
    """With crun a pod takes a quarter less processor time from start to end (docs/adr/0020-crun.md)."""
    return "crun" if capabilities.crun else "runc"


def _runtimes(table: str, node: NodeLayout, capabilities: Capabilities) -> str:
    """The handlers that a RuntimeClass can name, each a subtable."""
    return "".join(
        f"""
    [{table}.{name}]
      runtime_type = "io.containerd.runc.v2"

      [{table}.{name}.options]
        SystemdCgroup = {_toml_bool(capabilities.systemd_cgroup)}
        BinaryName = "{node.runtimes / name}"
"""
        for name in runtimes(capabilities)
    )


def render(node: NodeLayout, capabilities: Capabilities) -> str:
    if capabilities.config_version == 3:
        return _render_version_3(node, capabilities)
    return _render_version_2(node, capabilities)


def _render_version_2(node: NodeLayout, capabilities: Capabilities) -> str:
    return f"""\
version = 2
root = "{node.containerd_root}"
state = "{node.containerd_state}"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing", "{_OPT}"]

[grpc]
  address = "{node.containerd_socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  restrict_oom_score_adj = {_toml_bool(not capabilities.may_lower_oom_score)}
  tolerate_missing_hugetlb_controller = true
  disable_apparmor = {_toml_bool(not Path("/sys/kernel/security/apparmor").exists())}

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "{_default_runtime(capabilities)}"
{_runtimes('plugins."io.containerd.grpc.v1.cri".containerd.runtimes', node, capabilities)}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{node.cni_bin}"
    conf_dir = "{node.cni_conf}"

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{node.registry_hosts}"
"""


def _render_version_3(node: NodeLayout, capabilities: Capabilities) -> str:
    return f"""\
version = 3
root = "{node.containerd_root}"
state = "{node.containerd_state}"
disabled_plugins = ["{_OPT}"]

[grpc]
  address = "{node.containerd_socket}"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"

  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{PAUSE_IMAGE}"

  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "{node.registry_hosts}"

[plugins."io.containerd.cri.v1.runtime"]
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  restrict_oom_score_adj = {_toml_bool(not capabilities.may_lower_oom_score)}
  tolerate_missing_hugetlb_controller = true

  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "{_default_runtime(capabilities)}"
{_runtimes('plugins."io.containerd.cri.v1.runtime".containerd.runtimes', node, capabilities)}
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{node.cni_bin}", "{capabilities.cni_binaries}"]
    conf_dir = "{node.cni_conf}"

[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
"""


def _render_host(host: RegistryHost, capabilities: Capabilities) -> str:
    access = f"""\
ca = "{host.ca}"
client = [["{host.certificate}", "{host.key}"]]
"""
    # The settings before the table are those of the server that is asked last, once the host has answered "not found".
    asked_last = f'server = "{host.server}"\n{access}'
    rights = 'capabilities = ["pull", "resolve"]\n'
    if capabilities.config_version == 2 and "[" in host.server:
        # containerd 1.x reads no table whose name has an address of IPv6 in it; a table there has to be.
        return f"{asked_last}{rights}\n[host]\n"
    return f'{asked_last}\n[host."{host.server}"]\n{rights}{access}'


def _toml_bool(value: bool) -> str:
    return "true" if value else "false"


def import_image(node: NodeLayout, archive: Path) -> None:
    """Import an OCI archive into the node's image store, where the kubelet finds it."""
    command = [
        "ctr",
        "--address",
        str(node.containerd_socket),
        "--namespace",
        "k8s.io",
        "images",
        "import",
        str(archive),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgeError("import image", str(archive), done.stderr.strip())


def has_image(node: NodeLayout, reference: str) -> bool:
    command = ["ctr", "--address", str(node.containerd_socket), "--namespace", "k8s.io", "images", "ls", "-q"]
    done = subprocess.run([*command, f"name=={reference}"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and reference in done.stdout.split()
