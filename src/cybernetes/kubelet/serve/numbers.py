"""What pods and the node use: the summary API, and metrics in Prometheus' text format.

source  k8s.io/kubelet stats/v1alpha1; kubernetes.io "Metrics For Kubernetes System Components"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cybernetes.base.clock import rfc3339
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import Stats
from cybernetes.kubelet.serve import cadvisor
from cybernetes.kubelet.serve.exposition import Exposition
from cybernetes.kubelet.tools import Tools
from cybernetes.kubelet.worker import PodWorker


class Numbers:
    def __init__(self, tools: Tools, workers: Mapping[str, PodWorker]) -> None:
        self._tools = tools
        self._workers = workers
        self._before: dict[str, Stats] = {}
        self._rates: dict[str, int] = {}
        # Seconds and the node's nanoseconds of processors, when they were read last.
        self._node_before = (tools.clock.now(), tools.host.usage().cpu_ns)

    async def _read(self) -> list[Stats]:
        """Statistics of all containers; remembers them, so that the next reading gives rates."""
        rows = await self._tools.runtime.stats()
        for row in rows:
            old = self._before.get(row.id)
            if old is not None and row.timestamp > old.timestamp:
                self._rates[row.id] = max(0, (row.cpu_ns - old.cpu_ns) * 10**9 // (row.timestamp - old.timestamp))
        self._before = {row.id: row for row in rows}
        self._rates = {key: rate for key, rate in self._rates.items() if key in self._before}
        return rows

    async def summary(self) -> Object:
        rows = await self._read()
        usage = self._tools.host.usage()
        now = rfc3339(self._tools.clock.now())
        memory = self._tools.facts.machine.memory_bytes
        disk = {
            "time": now,
            "availableBytes": usage.disk_available,
            "capacityBytes": usage.disk_capacity,
            "usedBytes": usage.disk_capacity - usage.disk_available,
            "inodesFree": usage.inodes_free,
            "inodes": usage.inodes,
            "inodesUsed": usage.inodes - usage.inodes_free,
        }
        node = {
            "nodeName": self._tools.config.node_name,
            "startTime": rfc3339(self._tools.facts.booted_at),
            "cpu": {
                "time": now,
                "usageNanoCores": self._node_rate(usage.cpu_ns),
                "usageCoreNanoSeconds": usage.cpu_ns,
            },
            "memory": {
                "time": now,
                "availableBytes": usage.memory_available,
                "usageBytes": memory - usage.memory_available,
                "workingSetBytes": memory - usage.memory_available,
                "rssBytes": usage.memory_rss,
                "pageFaults": usage.page_faults,
                "majorPageFaults": usage.major_page_faults,
            },
            "fs": disk,
            "rlimit": {"time": now, "maxpid": usage.pids_max, "curproc": usage.pids},
        }
        return {"node": node, "pods": [self._pod(worker, rows) for worker in self._workers.values()]}

    def _node_rate(self, cpu_ns: int) -> int:
        now = self._tools.clock.now()
        (before, before_ns), self._node_before = self._node_before, (now, cpu_ns)
        return int((cpu_ns - before_ns) / (now - before)) if now > before else 0

    def _pod(self, worker: PodWorker, rows: Iterable[Stats]) -> Object:
        meta = worker.pod["metadata"]
        own = [row for row in rows if row.uid == meta["uid"]]
        now = rfc3339(self._tools.clock.now())
        return {
            "podRef": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "startTime": worker.status.get("startTime"),
            "containers": [self._container(worker, row) for row in own],
            "cpu": self._cpu(own, now),
            "memory": self._memory(own, now),
        }

    def _container(self, worker: PodWorker, row: Stats) -> Object:
        at = rfc3339(row.timestamp / 1e9)
        started = next((each.started_at for each in worker.observed.containers if each.id == row.id), row.timestamp)
        return {
            "name": row.name,
            "startTime": rfc3339(started / 1e9),
            "cpu": self._cpu([row], at),
            "memory": self._memory([row], at),
            "rootfs": {"time": at, "usedBytes": row.filesystem_bytes, "inodesUsed": row.filesystem_inodes},
        }

    def _cpu(self, rows: Iterable[Stats], at: str) -> Object:
        rows = list(rows)
        return {
            "time": at,
            "usageNanoCores": sum(self._rates.get(row.id, 0) for row in rows),
            "usageCoreNanoSeconds": sum(row.cpu_ns for row in rows),
        }

    @staticmethod
    def _memory(rows: Iterable[Stats], at: str) -> Object:
        rows = list(rows)
        return {
            "time": at,
            "usageBytes": sum(row.memory_usage_bytes for row in rows),
            "workingSetBytes": sum(row.working_set_bytes for row in rows),
            "rssBytes": sum(row.rss_bytes for row in rows),
            "pageFaults": sum(row.page_faults for row in rows),
            "majorPageFaults": sum(row.major_page_faults for row in rows),
        }

    async def resource_metrics(self) -> str:
        """/metrics/resource, which metrics-server reads."""
        rows = await self._read()
        usage = self._tools.host.usage()
        out = Exposition()
        named = [(row, self._workers[row.uid].pod["metadata"]) for row in rows if row.uid in self._workers]
        out.head(
            "container_cpu_usage_seconds_total",
            "counter",
            "Cumulative cpu time consumed by the container in core-seconds",
        )
        for row, meta in named:
            out.row("container_cpu_usage_seconds_total", _labels(row, meta), row.cpu_ns / 1e9, row.timestamp // 10**6)
        out.head("container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes")
        for row, meta in named:
            out.row(
                "container_memory_working_set_bytes", _labels(row, meta), row.working_set_bytes, row.timestamp // 10**6
            )
        out.head("node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds")
        out.row("node_cpu_usage_seconds_total", {}, usage.cpu_ns / 1e9)
        out.head("node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes")
        out.row("node_memory_working_set_bytes", {}, self._tools.facts.machine.memory_bytes - usage.memory_available)
        for name, of in (("pod_cpu_usage_seconds_total", "counter"), ("pod_memory_working_set_bytes", "gauge")):
            out.head(name, of, "Of all containers of the pod")
            for uid, worker in self._workers.items():
                own = [row for row in rows if row.uid == uid]
                value = sum(r.cpu_ns for r in own) / 1e9 if of == "counter" else sum(r.working_set_bytes for r in own)
                meta = worker.pod["metadata"]
                out.row(name, {"namespace": meta["namespace"], "pod": meta["name"]}, value)
        out.head("scrape_error", "gauge", "1 if there was an error while getting container metrics, 0 otherwise")
        out.row("scrape_error", {}, 0)
        return out.text()

    async def container_metrics(self) -> str:
        """/metrics/cadvisor."""
        return cadvisor.containers(self._tools, self._workers, await self._read())

    def probe_metrics(self) -> str:
        """/metrics/probes."""
        return cadvisor.probes(self._workers)

    async def metrics(self) -> str:
        """/metrics: what this kubelet does."""
        running = [worker for worker in self._workers.values() if worker.observed.running()]
        out = Exposition()
        out.head("kubelet_running_pods", "gauge", "Number of pods that have a running pod sandbox")
        out.row("kubelet_running_pods", {}, len(running))
        out.head("kubelet_running_containers", "gauge", "Number of containers currently running")
        count = sum(len(worker.observed.running()) for worker in running)
        out.row("kubelet_running_containers", {"container_state": "running"}, count)
        out.head("kubelet_desired_pods", "gauge", "The number of pods the kubelet is being instructed to run")
        out.row("kubelet_desired_pods", {"static": ""}, len(self._workers))
        return out.text()


def _labels(row: Stats, meta: Mapping[str, Any]) -> dict[str, str]:
    return {"container": row.name, "namespace": meta["namespace"], "pod": meta["name"]}
