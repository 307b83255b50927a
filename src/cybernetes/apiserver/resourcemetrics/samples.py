"""From the statistics of kubelets to usage: the difference of two samples. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cybernetes.base.clock import rfc3339

Object = dict[str, Any]

# A rate over less says little.
WINDOW_MIN_S = 0.5
_KIB = 1024


class Counter(msgspec.Struct, frozen=True):
    """cpu_ns: used since the container began. memory: bytes of the working set."""

    cpu_ns: int
    memory: int


class Pod(msgspec.Struct, frozen=True):
    uid: str
    containers: Mapping[str, Counter]


class Sample(msgspec.Struct, frozen=True):
    """One node at one time (seconds since the epoch). pods: (namespace, name) -> pod."""

    at: float
    node: Counter
    pods: Mapping[tuple[str, str], Pod]


class Usage(msgspec.Struct, frozen=True):
    """cpu_n: nano cores. memory: bytes."""

    cpu_n: int
    memory: int

    def render(self) -> Object:
        return {"cpu": f"{self.cpu_n}n", "memory": f"{self.memory // _KIB}Ki"}


class PodUsage(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    containers: Mapping[str, Usage]


class NodeUsage(msgspec.Struct, frozen=True):
    """at: of the later sample. pods: those that were there in both."""

    name: str
    at: float
    window_s: float
    usage: Usage
    pods: tuple[PodUsage, ...]


class _Cpu(msgspec.Struct, rename="camel", frozen=True):
    usage_core_nano_seconds: int = 0


class _Memory(msgspec.Struct, rename="camel", frozen=True):
    working_set_bytes: int = 0


class _Row(msgspec.Struct, rename="camel", frozen=True):
    """Of the node, or of a container."""

    name: str = ""
    cpu: _Cpu | None = None
    memory: _Memory | None = None

    @property
    def counter(self) -> Counter:
        cpu, memory = self.cpu or _Cpu(), self.memory or _Memory()
        return Counter(cpu.usage_core_nano_seconds, memory.working_set_bytes)


class _Reference(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    uid: str


class _Pod(msgspec.Struct, rename="camel", frozen=True):
    pod_ref: _Reference
    containers: list[_Row] | None = None


class _Summary(msgspec.Struct, frozen=True):
    node: _Row
    pods: list[_Pod] | None = None


_decode = msgspec.json.Decoder(_Summary).decode


def read(summary: bytes, at: float) -> Sample:
    """A kubelet's /stats/summary. ValueError when it is none."""
    try:
        found = _decode(summary)
    except msgspec.MsgspecError as wrong:
        raise ValueError(f"no statistics: {wrong}") from wrong
    pods = {}
    for each in found.pods or ():
        reference = each.pod_ref
        containers = {row.name: row.counter for row in each.containers or ()}
        pods[reference.namespace, reference.name] = Pod(reference.uid, containers)
    return Sample(at, found.node.counter, pods)


def usage(name: str, before: Sample, after: Sample) -> NodeUsage | None:
    """None when the samples are too close to each other."""
    window_s = after.at - before.at
    if window_s < WINDOW_MIN_S:
        return None
    pods = []
    for (namespace, pod_name), pod in after.pods.items():
        old = before.pods.get((namespace, pod_name))
        if old is None or old.uid != pod.uid:
            continue
        known = {each: old.containers[each] for each in pod.containers if each in old.containers}
        rates = {each: _rate(counter, pod.containers[each], window_s) for each, counter in known.items()}
        if rates:
            pods.append(PodUsage(namespace, pod_name, rates))
    return NodeUsage(name, after.at, window_s, _rate(before.node, after.node, window_s), tuple(pods))


def _rate(before: Counter, after: Counter, window_s: float) -> Usage:
    # A container that was started again counts from zero.
    used = after.cpu_ns - before.cpu_ns if after.cpu_ns >= before.cpu_ns else after.cpu_ns
    return Usage(int(used / window_s), after.memory)


def node_metrics(node: NodeUsage, labels: Mapping[str, str]) -> Object:
    return {
        "kind": "NodeMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": _metadata(node, node.name, labels),
        **_when(node),
        "usage": node.usage.render(),
    }


def pod_metrics(node: NodeUsage, pod: PodUsage, labels: Mapping[str, str]) -> Object:
    return {
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {**_metadata(node, pod.name, labels), "namespace": pod.namespace},
        **_when(node),
        "containers": [{"name": name, "usage": used.render()} for name, used in pod.containers.items()],
    }


def _metadata(node: NodeUsage, name: str, labels: Mapping[str, str]) -> Object:
    metadata: Object = {"name": name, "creationTimestamp": rfc3339(node.at)}
    if labels:
        metadata["labels"] = dict(labels)
    return metadata


def _when(node: NodeUsage) -> Object:
    return {"timestamp": rfc3339(node.at), "window": f"{node.window_s:.3f}s"}
