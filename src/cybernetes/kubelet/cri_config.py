"""Pods and containers as CRI messages. Pure.

source  "Container Runtime Interface", PodSandboxConfig and ContainerConfig
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from cybernetes.base.clock import rfc3339_micro
from cybernetes.kubelet import env, naming, pods, resources, security
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.runtime.api import Image
from cybernetes.wire.grpc import cri_runtime_pb2 as cri

LABEL_UID = "io.kubernetes.pod.uid"
LABEL_NAME = "io.kubernetes.pod.name"
LABEL_NAMESPACE = "io.kubernetes.pod.namespace"
LABEL_CONTAINER = "io.kubernetes.container.name"

NOTE_HASH = "io.kubernetes.container.hash"
NOTE_RESTARTS = "io.kubernetes.container.restartCount"
NOTE_MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
NOTE_MESSAGE_POLICY = "io.kubernetes.container.terminationMessagePolicy"
NOTE_PORTS = "io.kubernetes.container.ports"
NOTE_PRE_STOP = "io.kubernetes.container.preStopHandler"
NOTE_GRACE = "io.kubernetes.pod.terminationGracePeriod"
NOTE_DELETION_GRACE = "io.kubernetes.pod.deletionGracePeriod"

_PROTOCOLS = {"TCP": cri.TCP, "UDP": cri.UDP, "SCTP": cri.SCTP}
_PROPAGATION = {
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}
_PORT_FIELDS = ("name", "hostPort", "containerPort", "protocol", "hostIP")


class Machine(msgspec.Struct, frozen=True):
    """Facts of the node that decide requests.

    page_sizes     of huge pages, as the kernel's cgroups name them: 2MB, 1GB
    thermal_paths  /sys/devices/system/cpu/cpuN/thermal_throttle that exist
    """

    memory_bytes: int
    page_sizes: tuple[str, ...] = ()
    thermal_paths: tuple[str, ...] = ()


class Mount(msgspec.Struct, frozen=True):
    """propagation is the API's word: None, HostToContainer or Bidirectional."""

    container_path: str
    host_path: str
    read_only: bool = False
    propagation: str = "None"


def sandbox_config(
    pod: Object, attempt: int, dns: naming.DnsConfig, config: KubeletConfig, seen_at: float
) -> cri.PodSandboxConfig:
    """Raises NamingError when the host name is too long, ConfigError for namespaces that can't be had."""
    meta = pod["metadata"]
    cpu_shares, cpu_quota, memory = resources.cpu_memory_of_sandbox(pod)
    overhead = {k: resources.amount(k, str(v)) for k, v in (pod["spec"].get("overhead") or {}).items()}
    linux = cri.LinuxPodSandboxConfig(
        cgroup_parent=resources.pod_cgroup(config.cgroup_root, pod),
        security_context=security.sandbox_context(pod),
        sysctls=security.sysctls(pod),
        overhead=_overhead(overhead),
        resources=_linux_resources(cpu_shares, cpu_quota, memory),
    )
    return cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(
            name=meta["name"], uid=meta["uid"], namespace=meta["namespace"], attempt=attempt
        ),
        hostname=naming.kernel_hostname(pod, config.cluster_domain),
        log_directory=str(config.log_dir(meta["namespace"], meta["name"], meta["uid"])),
        dns_config=cri.DNSConfig(servers=dns.servers, searches=dns.searches, options=dns.options),
        port_mappings=[_port_mapping(port) for each in pods.containers(pod) for port in each.get("ports") or ()],
        labels={**(meta.get("labels") or {}), **identity(pod)},
        annotations=pod_annotations(pod, seen_at),
        linux=linux,
    )


def pod_annotations(pod: Object, seen_at: float) -> dict[str, str]:
    own = pod["metadata"].get("annotations") or {}
    return {**own, pods.SOURCE: own.get(pods.SOURCE, "api"), pods.SEEN: own.get(pods.SEEN) or rfc3339_micro(seen_at)}


def identity(pod: Object) -> dict[str, str]:
    meta = pod["metadata"]
    return {LABEL_UID: meta["uid"], LABEL_NAME: meta["name"], LABEL_NAMESPACE: meta["namespace"]}


def _port_mapping(port: Object) -> cri.PortMapping:
    return cri.PortMapping(
        protocol=_PROTOCOLS[port.get("protocol") or "TCP"],
        container_port=int(port.get("containerPort") or 0),
        host_port=int(port.get("hostPort") or 0),
        host_ip=port.get("hostIP") or "",
    )


def _overhead(overhead: Mapping[str, int]) -> cri.LinuxContainerResources:
    if not overhead:
        return cri.LinuxContainerResources()
    cpu = overhead.get("cpu", 0)
    return _linux_resources(resources.shares(cpu), resources.quota_us(cpu), overhead.get("memory", 0))


def _linux_resources(cpu_shares: int, cpu_quota: int, memory: int) -> cri.LinuxContainerResources:
    return cri.LinuxContainerResources(
        cpu_period=resources.QUOTA_PERIOD_US, cpu_quota=cpu_quota, cpu_shares=cpu_shares, memory_limit_in_bytes=memory
    )


def container_resources(pod: Object, container: Object, machine: Machine, *, v2: bool) -> cri.LinuxContainerResources:
    cpu_shares, cpu_quota, memory = resources.cpu_memory_of_container(pod, container)
    result = _linux_resources(cpu_shares, cpu_quota, memory)
    result.oom_score_adj = resources.oom_score_adj(pod, container, machine.memory_bytes)
    # Equal to the memory limit: no swap. Without a limit there is nothing to say.
    result.memory_swap_limit_in_bytes = memory
    limited = resources.limits(container)
    for size in machine.page_sizes:
        result.hugepage_limits.append(
            cri.HugepageLimit(page_size=size, limit=limited.get(f"hugepages-{size.removesuffix('B')}i", 0))
        )
    if v2:
        result.unified["memory.oom.group"] = "1"
    return result


class ContainerInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a container's configuration depends on besides its pod.

    log_dir_name  name of the log folder and of the container are the same
    mounts        volumes, then /etc/hosts and the termination log, already on this machine's paths
    """

    container: Object
    attempt: int
    image: Image
    mounts: Sequence[Mount]
    variables: Mapping[str, str]
    target_id: str = ""


def container_config(
    pod: Object, given: ContainerInput, config: KubeletConfig, machine: Machine, *, v2: bool
) -> cri.ContainerConfig:
    """Raises ConfigError when the spec can't be satisfied."""
    container = given.container
    name = container["name"]
    context = security.container_context(
        pod, container, given.image, str(config.root_dir / "seccomp"), machine.thermal_paths
    )
    if given.target_id:
        context.namespace_options.target_id = given.target_id
    expand = given.variables
    result = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=name, attempt=given.attempt),
        image=cri.ImageSpec(image=given.image.id, user_specified_image=container.get("image", "")),
        command=[env.expand(each, expand) for each in container.get("command") or ()],
        args=[env.expand(each, expand) for each in container.get("args") or ()],
        working_dir=container.get("workingDir") or "",
        envs=[cri.KeyValue(key=key, value=value.encode()) for key, value in given.variables.items()],
        mounts=[_mount(each) for each in given.mounts],
        labels={**identity(pod), LABEL_CONTAINER: name},
        annotations=container_annotations(pod, container, given.attempt),
        log_path=f"{name}/{given.attempt}.log",
        stdin=bool(container.get("stdin")),
        stdin_once=bool(container.get("stdinOnce")),
        tty=bool(container.get("tty")),
        linux=cri.LinuxContainerConfig(
            resources=container_resources(pod, container, machine, v2=v2), security_context=context
        ),
    )
    signal = (container.get("lifecycle") or {}).get("stopSignal")
    if signal:
        result.stop_signal = cri.Signal.Value(signal)
    return result


def container_annotations(pod: Object, container: Object, attempt: int) -> dict[str, str]:
    meta = pod["metadata"]
    notes = {
        NOTE_HASH: pods.container_hash(container),
        NOTE_RESTARTS: str(attempt),
        NOTE_MESSAGE_PATH: container.get("terminationMessagePath") or "/dev/termination-log",
        NOTE_MESSAGE_POLICY: container.get("terminationMessagePolicy") or "File",
        NOTE_GRACE: str(pod["spec"].get("terminationGracePeriodSeconds", 30)),
    }
    if meta.get("deletionGracePeriodSeconds") is not None:
        notes[NOTE_DELETION_GRACE] = str(meta["deletionGracePeriodSeconds"])
    pre_stop = (container.get("lifecycle") or {}).get("preStop")
    if pre_stop:
        notes[NOTE_PRE_STOP] = orjson.dumps(pre_stop).decode()
    ports = [_ordered(port) for port in container.get("ports") or ()]
    if ports:
        notes[NOTE_PORTS] = orjson.dumps(ports).decode()
    return notes


def _ordered(port: Object) -> dict[str, Any]:
    return {field: port[field] for field in _PORT_FIELDS if port.get(field)}


def _mount(mount: Mount) -> cri.Mount:
    return cri.Mount(
        container_path=mount.container_path,
        host_path=mount.host_path,
        readonly=mount.read_only,
        propagation=_PROPAGATION.get(mount.propagation, cri.PROPAGATION_PRIVATE),
    )
