"""The Node object of this machine: labels, capacity, conditions, addresses. Pure.

source  Kubernetes documentation "Node Status"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cybernetes import KUBERNETES_VERSION
from cybernetes.base.clock import rfc3339
from cybernetes.kubelet.config import KubeletConfig
from cybernetes.kubelet.machine import HostFacts
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.resources import Amounts, amount
from cybernetes.kubelet.runtime.api import Image, RuntimeStatus, Version
from cybernetes.model import quantity
from cybernetes.model.local_volumes import FOLDER
from cybernetes.model.validation.resources import is_extended

# By upstream's gates: a scheduler gives pods that need one of these to nodes that declare it. Sorted.
FEATURES = ("RestartAllContainersOnContainerExits",)
IMAGES_MAX = 50

_PRESSURES = (
    ("MemoryPressure", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available",
     "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasDiskPressure", "kubelet has disk pressure",
     "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasInsufficientPID", "kubelet has insufficient PID available",
     "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)  # fmt: skip


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """What the node's status is made of beside the machine's facts.

    runtime    None while it can't be reached; trouble: further reasons not to be ready
    pressures  of MemoryPressure, DiskPressure, PIDPressure, those that hold
    """

    runtime: RuntimeStatus | None
    version: Version | None
    pressures: frozenset[str] = frozenset()
    trouble: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    volumes_in_use: tuple[str, ...] = ()


def labels(config: KubeletConfig, facts: HostFacts) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": facts.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": facts.architecture,
        "kubernetes.io/hostname": config.node_name,
        "kubernetes.io/os": "linux",
        **config.labels,
    }


def new_node(config: KubeletConfig, facts: HostFacts) -> Object:
    spec: Object = {}
    if config.taints:
        spec["taints"] = [dict(each) for each in config.taints]
    if config.provider_id:
        spec["providerID"] = config.provider_id
    return {
        "metadata": {
            "name": config.node_name,
            "labels": labels(config, facts),
            "annotations": {
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
                FOLDER: str(config.local_volumes),
            },
        },
        "spec": spec,
    }


def capacity(config: KubeletConfig, facts: HostFacts) -> dict[str, int]:
    """Thousandths for cpu, whole units for everything else."""
    return {
        "cpu": facts.cpu_count * 1000,
        "ephemeral-storage": facts.disk_bytes,
        **facts.huge_pages,
        "memory": facts.machine.memory_bytes,
        "pods": config.max_pods,
    }


def allocatable(config: KubeletConfig, facts: HostFacts) -> dict[str, int]:
    """What pods may have: capacity without reservations, hard eviction limits and huge pages set aside."""
    result = capacity(config, facts)
    for reserved in (config.kube_reserved, config.system_reserved):
        for name, text in reserved.items():
            result[name] = result.get(name, 0) - amount(name, text)
    result["memory"] -= threshold(config.eviction_hard.get("memory.available", "0"), facts.machine.memory_bytes)
    result["memory"] -= sum(facts.huge_pages.values())
    result["ephemeral-storage"] -= threshold(config.eviction_hard.get("nodefs.available", "0"), facts.disk_bytes)
    return {name: max(0, value) for name, value in result.items()}


def threshold(text: str, capacity_units: int) -> int:
    """A limit given as an amount, or as a share of the capacity."""
    if text.endswith("%"):
        return int(capacity_units * float(text[:-1]) / 100)
    return amount("memory", text)


def advertised(previous: Object) -> dict[str, str]:
    """The extended resources that others say the node has: whoever writes a node's capacity offers them to pods."""
    return {name: value for name, value in (previous.get("capacity") or {}).items() if is_extended(name)}


def _quantities(amounts: Amounts) -> dict[str, str]:
    return {name: _quantity(name, value) for name, value in sorted(amounts.items())}


def _quantity(name: str, value: int) -> str:
    """As the API server keeps it, so that an unchanged status is seen to be unchanged."""
    if name == "cpu":
        return quantity.render(value * 10**6)
    family = quantity.DECIMAL if name == "pods" else quantity.BINARY
    return quantity.render(value * 10**9, family)


def node_status(config: KubeletConfig, facts: HostFacts, view: NodeView, previous: Object, now: float) -> Object:
    """The status that the kubelet owns. previous keeps the times of transitions, and what others advertise."""
    version = view.version
    offered = advertised(previous)
    return {
        "addresses": [
            *({"type": "InternalIP", "address": each} for each in config.node_ips),
            {"type": "Hostname", "address": config.node_name},
        ],
        "capacity": _quantities(capacity(config, facts)) | offered,
        "allocatable": _quantities(allocatable(config, facts)) | offered,
        "conditions": conditions(view, previous.get("conditions") or (), now),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": config.port}},
        "nodeInfo": {
            "machineID": facts.machine_id,
            "systemUUID": facts.system_uuid,
            "bootID": facts.boot_id,
            "kernelVersion": facts.kernel_version,
            "osImage": facts.os_image,
            "containerRuntimeVersion": f"{version.name}://{version.version}" if version else "unknown://",
            "kubeletVersion": KUBERNETES_VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": facts.architecture,
            "swap": {"capacity": facts.swap_bytes},
        },
        "images": _images(view.images),
        "runtimeHandlers": [
            {"name": "", "features": {"recursiveReadOnlyMounts": False, "userNamespaces": False}},
        ],
        "features": {"supplementalGroupsPolicy": False},
        "declaredFeatures": list(FEATURES),
        "volumesInUse": list(view.volumes_in_use),
    }


def _images(images: Sequence[Image]) -> list[dict[str, Any]]:
    largest = sorted(images, key=lambda each: each.size, reverse=True)[:IMAGES_MAX]
    return [
        {"names": [*each.digests, *each.tags], "sizeBytes": each.size} for each in largest if each.digests or each.tags
    ]


def conditions(view: NodeView, previous: Sequence[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """The four conditions of a kubelet, in order; those of others follow unchanged."""
    before = {each["type"]: each for each in previous}
    wanted = [
        (kind, "True", bad, bad_text) if kind in view.pressures else (kind, "False", good, good_text)
        for kind, bad, bad_text, good, good_text in _PRESSURES
    ]
    wanted.append(_ready(view))
    result = [_dated(*each, before.get(each[0]), now) for each in wanted]
    names = {each["type"] for each in result}
    return result + [dict(each) for each in previous if each["type"] not in names]


def _ready(view: NodeView) -> tuple[str, str, str, str]:
    problems = list(view.trouble)
    if view.runtime is None:
        problems.append("container runtime is down")
    else:
        if not view.runtime.ready:
            problems.append(f"container runtime not ready: {view.runtime.message}")
        if not view.runtime.network_ready:
            problems.append(f"container runtime network not ready: {view.runtime.network_message}")
    if not problems:
        return "Ready", "True", "KubeletReady", "kubelet is posting ready status"
    text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    return "Ready", "False", "KubeletNotReady", text


def _dated(
    kind: str, status: str, reason: str, message: str, old: Mapping[str, Any] | None, now: float
) -> dict[str, Any]:
    same = old is not None and old.get("status") == status
    return {
        "type": kind,
        "status": status,
        "lastHeartbeatTime": rfc3339(now),
        "lastTransitionTime": old["lastTransitionTime"] if same and old is not None else rfc3339(now),
        "reason": reason,
        "message": message,
    }


def differs(old: Object, new: Object) -> bool:
    """Whether anything but heartbeats changed."""
    return _without_heartbeats(old) != _without_heartbeats(new)


def _without_heartbeats(status: Object) -> Any:
    conditions = [
        {k: v for k, v in each.items() if k != "lastHeartbeatTime"} for each in status.get("conditions") or ()
    ]
    return _bare({**status, "conditions": conditions})


def _bare(value: Any) -> Any:
    """Without what is empty, which servers do not keep."""
    if isinstance(value, dict):
        cleaned = {name: _bare(each) for name, each in value.items()}
        return {name: each for name, each in cleaned.items() if each not in (None, "", {}, [], False)}
    return [_bare(each) for each in value] if isinstance(value, list) else value


EVENTS = {
    ("Ready", "True"): "NodeReady",
    ("Ready", "False"): "NodeNotReady",
    ("MemoryPressure", "True"): "NodeHasInsufficientMemory",
    ("MemoryPressure", "False"): "NodeHasSufficientMemory",
    ("DiskPressure", "True"): "NodeHasDiskPressure",
    ("DiskPressure", "False"): "NodeHasNoDiskPressure",
    ("PIDPressure", "True"): "NodeHasInsufficientPID",
    ("PIDPressure", "False"): "NodeHasSufficientPID",
}


def transitions(old: Object, new: Object) -> list[str]:
    """Reasons of the events that the change of conditions is worth."""
    before = {each["type"]: each["status"] for each in old.get("conditions") or ()}
    return [
        EVENTS[each["type"], each["status"]]
        for each in new["conditions"]
        if (each["type"], each["status"]) in EVENTS and before.get(each["type"]) != each["status"]
    ]
