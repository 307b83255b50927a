"""/metrics/cadvisor and /metrics/probes: what dashboards read of containers, and of their probes.

source  cAdvisor's documentation, "Monitoring cAdvisor with Prometheus"; Kubernetes "Metrics Reference", prober
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from cybernetes.kubelet import resources
from cybernetes.kubelet.pods import find_container
from cybernetes.kubelet.runtime.api import ContainerStatus, Stats
from cybernetes.kubelet.serve.exposition import Exposition
from cybernetes.kubelet.tools import Tools
from cybernetes.kubelet.worker import PodWorker


class _Row(msgspec.Struct, frozen=True):
    """A running container: its labels, what it uses, and what it may use."""

    labels: Mapping[str, str]
    stats: Stats
    status: ContainerStatus
    spec: tuple[int, int, int]


# name, type, help, value
_METRICS: tuple[tuple[str, str, str, Callable[[_Row], float]], ...] = (
    ("container_fs_inodes_total", "gauge", "Number of Inodes", lambda row: row.stats.filesystem_inodes),
    ("container_fs_usage_bytes", "gauge", "Number of bytes that are consumed by the container on this filesystem.",
     lambda row: row.stats.filesystem_bytes),
    ("container_last_seen", "gauge", "Last time a container was seen by the exporter", lambda row: row.stats.timestamp // 10**9),
    ("container_memory_rss", "gauge", "Size of RSS in bytes.", lambda row: row.stats.rss_bytes),
    ("container_memory_usage_bytes", "gauge", "Current memory usage in bytes, including all memory regardless of when it was accessed",
     lambda row: row.stats.memory_usage_bytes),
    ("container_memory_working_set_bytes", "gauge", "Current working set in bytes.", lambda row: row.stats.working_set_bytes),
    ("container_spec_cpu_period", "gauge", "CPU period of the container.", lambda row: resources.QUOTA_PERIOD_US),
    ("container_spec_cpu_shares", "gauge", "CPU share of the container.", lambda row: row.spec[0]),
    ("container_spec_memory_limit_bytes", "gauge", "Memory limit for the container.", lambda row: row.spec[2]),
    ("container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds.",
     lambda row: row.status.started_at / 1e9),
)  # fmt: skip


def containers(tools: Tools, workers: Mapping[str, PodWorker], stats: Iterable[Stats]) -> str:
    rows = _rows(tools, workers, stats)
    out = Exposition(stability="")
    facts = tools.facts
    out.head(
        "cadvisor_version_info", "gauge", "A metric with a constant '1' value labeled by kernel version, OS version."
    )
    out.row("cadvisor_version_info", {"kernelVersion": facts.kernel_version, "osVersion": facts.os_image}, 1)
    out.head("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.")
    for row in rows:
        out.row("container_cpu_usage_seconds_total", {**row.labels, "cpu": "total"}, row.stats.cpu_ns / 1e9, _ms(row))
    out.head("container_memory_failures_total", "counter", "Cumulative count of memory allocation failures.")
    for row in rows:
        for kind, value in (("pgfault", row.stats.page_faults), ("pgmajfault", row.stats.major_page_faults)):
            labels = {**row.labels, "failure_type": kind, "scope": "container"}
            out.row("container_memory_failures_total", labels, value, _ms(row))
    out.head("container_spec_cpu_quota", "gauge", "CPU quota of the container.")
    for row in rows:
        if row.spec[1]:
            out.row("container_spec_cpu_quota", row.labels, row.spec[1])
    for name, kind, text, value_of in _METRICS:
        out.head(name, kind, text)
        for row in rows:
            out.row(name, row.labels, value_of(row), _ms(row))
    machine = {"boot_id": facts.boot_id, "machine_id": facts.machine_id, "system_uuid": facts.system_uuid}
    out.head("machine_cpu_cores", "gauge", "Number of logical CPU cores.")
    out.row("machine_cpu_cores", machine, facts.cpu_count)
    out.head("machine_memory_bytes", "gauge", "Amount of memory installed on the machine.")
    out.row("machine_memory_bytes", machine, facts.machine.memory_bytes)
    return out.text()


def _ms(row: _Row) -> int:
    return row.stats.timestamp // 10**6


def _rows(tools: Tools, workers: Mapping[str, PodWorker], stats: Iterable[Stats]) -> list[_Row]:
    found = []
    for each in stats:
        worker = workers.get(each.uid)
        status = next((c for c in worker.observed.containers if c.id == each.id), None) if worker else None
        if worker is None or status is None:
            continue
        meta = worker.pod["metadata"]
        labels = {
            "container": each.name,
            "id": f"{resources.pod_cgroup(tools.config.cgroup_root, worker.pod)}/{each.id}",
            "image": status.image,
            "name": each.id,
            "namespace": meta["namespace"],
            "pod": meta["name"],
        }
        container = find_container(worker.pod, each.name)
        spec = resources.cpu_memory_of_container(worker.pod, container[1]) if container else (0, 0, 0)
        found.append(_Row(labels, each, status, spec))
    return found


def probes(workers: Mapping[str, PodWorker]) -> str:
    out = Exposition("BETA")
    out.head(
        "prober_probe_total",
        "counter",
        "Cumulative number of a liveness, readiness or startup probe for a container by result.",
    )
    for uid, worker in workers.items():
        meta = worker.pod["metadata"]
        for (container, kind, result), count in sorted(worker.probe_counts().items()):
            labels = {
                "container": container,
                "namespace": meta["namespace"],
                "pod": meta["name"],
                "pod_uid": uid,
                "probe_type": kind,
                "result": result,
            }
            out.row("prober_probe_total", labels, count)
    return out.text()
