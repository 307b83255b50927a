"""Where everything of a cluster lies below its data directory."""

from __future__ import annotations

from pathlib import Path

import msgspec

DEFAULT_DATA_DIR = Path("/var/lib/cybernetes")


class NodeLayout(msgspec.Struct, frozen=True):
    """What one node keeps; several nodes of one machine share nothing of it."""

    root: Path

    @property
    def kubelet(self) -> Path:
        return self.root / "kubelet"

    @property
    def pod_logs(self) -> Path:
        return self.root / "pods-log"

    @property
    def containerd_root(self) -> Path:
        return self.root / "containerd"

    @property
    def containerd_state(self) -> Path:
        return self.root / "run" / "containerd"

    @property
    def containerd_config(self) -> Path:
        return self.root / "containerd.toml"

    @property
    def containerd_socket(self) -> Path:
        return self.root / "run" / "containerd.sock"

    @property
    def runtimes(self) -> Path:
        """runc and crun as containerd calls them."""
        return self.root / "runtimes"

    @property
    def shims(self) -> Path:
        """Where containerd looks for its shim first."""
        return self.root / "shims"

    @property
    def registry_hosts(self) -> Path:
        return self.root / "certs.d"

    @property
    def cni_conf(self) -> Path:
        return self.root / "cni" / "net.d"

    @property
    def cni_bin(self) -> Path:
        return self.root / "cni" / "bin"

    @property
    def cni_state(self) -> Path:
        return self.root / "cni" / "networks"

    @property
    def dns_snapshot(self) -> Path:
        """What the DNS server knew last."""
        return self.root / "dns" / "names.json"


class Layout(msgspec.Struct, frozen=True):
    data_dir: Path

    def command(self, verb: str) -> str:
        """What to type for a verb on the cluster that lies here."""
        where = "" if self.data_dir == DEFAULT_DATA_DIR else f" --data-dir {self.data_dir}"
        return f"cybernetes {verb}{where}"

    @property
    def config(self) -> Path:
        return self.data_dir / "config.yaml"

    @property
    def admin_kubeconfig(self) -> Path:
        return self.data_dir / "admin.kubeconfig"

    @property
    def pki(self) -> Path:
        return self.data_dir / "pki"

    @property
    def store(self) -> Path:
        return self.data_dir / "store" / "state.db"

    @property
    def store_socket(self) -> Path:
        """Where several API servers reach the process that writes the store."""
        return self.run / "store.sock"

    @property
    def siblings(self) -> Path:
        """Where the processes of one API server tell each other their numbers."""
        return self.run / "apiservers"

    @property
    def etcd(self) -> Path:
        return self.data_dir / "etcd"

    @property
    def registry(self) -> Path:
        return self.data_dir / "registry"

    @property
    def registry_config(self) -> Path:
        return self.data_dir / "registry.yaml"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def audit_policy(self) -> Path:
        return self.data_dir / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        return self.logs / "audit" / "audit.log"

    @property
    def run(self) -> Path:
        return self.data_dir / "run"

    @property
    def control_socket(self) -> Path:
        return self.run / "supervisor.sock"

    @property
    def notify_socket(self) -> Path:
        return self.run / "notify.sock"

    @property
    def supervisor_lock(self) -> Path:
        return self.run / "supervisor.lock"

    def kubeconfig(self, component: str) -> Path:
        return self.data_dir / "kubeconfig" / f"{component}.conf"

    def log(self, process: str) -> Path:
        return self.logs / f"{process}.log"

    def node(self, name: str) -> NodeLayout:
        return NodeLayout(self.data_dir / "nodes" / name)
