"""What a kubelet is told at its start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

EVICTION_HARD = {
    "memory.available": "100Mi",
    "nodefs.available": "10%",
    "nodefs.inodesFree": "5%",
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
}


class KubeletConfig(msgspec.Struct, frozen=True, kw_only=True):
    """node_ip is what pods in the host's network and clients reach; cert paths are PEM files.

    second_node_ip     the node's address of the other family; "" for none
    client_ca          verifies clients of port 10250; None: the port is not opened
    healthz_port       where anybody on this machine may ask whether the kubelet is well; 0: nowhere
    static_pod_path    folder of manifests; None: no static pods
    resolv_conf        the node's own, for dnsPolicy Default
    cgroup_root        parent of `kubepods` below the cgroup mount, "/" for the top
    pod_pids_max       processes of one pod, so that none can fill the node's table; -1 for no limit
    max_restart_s      crashLoopBackOff.maxContainerRestartPeriod
    """

    node_name: str
    node_ip: str
    second_node_ip: str = ""
    root_dir: Path = Path("/var/lib/kubelet")
    pod_log_dir: Path = Path("/var/log/pods")
    container_log_dir: Path | None = Path("/var/log/containers")
    cgroup_root: str = "/"
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    resolv_conf: Path = Path("/etc/resolv.conf")
    static_pod_path: Path | None = None
    address: str = "0.0.0.0"
    port: int = 10250
    healthz_address: str = "127.0.0.1"
    healthz_port: int = 10248
    serving_cert: Path | None = None
    serving_key: Path | None = None
    client_ca: Path | None = None
    max_pods: int = 110
    pod_pids_max: int = 16384
    labels: Mapping[str, str] = {}
    taints: tuple[dict[str, str], ...] = ()
    provider_id: str = ""
    kube_reserved: Mapping[str, str] = {}
    system_reserved: Mapping[str, str] = {}
    eviction_hard: Mapping[str, str] = msgspec.field(default_factory=lambda: dict(EVICTION_HARD))
    sync_frequency_s: float = 60.0
    static_check_s: float = 20.0
    status_update_s: float = 10.0
    status_report_s: float = 300.0
    lease_duration_s: int = 40
    max_restart_s: float = 300.0
    pulls_at_once: int = 1
    log_size_max: int = 10 * 1024 * 1024
    log_files_max: int = 5
    image_gc_high_percent: int = 85
    image_gc_low_percent: int = 80
    allowed_unsafe_sysctls: tuple[str, ...] = ()
    register_node: bool = True

    @property
    def node_ips(self) -> tuple[str, ...]:
        return (self.node_ip, self.second_node_ip) if self.second_node_ip else (self.node_ip,)

    @property
    def local_volumes(self) -> Path:
        """What is below is the volumes' own: it stays when the node is stopped."""
        return self.root_dir / "local-volumes"

    def pod_dir(self, uid: str) -> Path:
        return self.root_dir / "pods" / uid

    def log_dir(self, namespace: str, name: str, uid: str) -> Path:
        return self.pod_log_dir / f"{namespace}_{name}_{uid}"
