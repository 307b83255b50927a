"""Reads pod objects: the questions that every part of the kubelet asks of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson

Object = dict[str, Any]

SOURCE = "kubernetes.io/config.source"
SEEN = "kubernetes.io/config.seen"
MIRROR = "kubernetes.io/config.mirror"
HASH = "kubernetes.io/config.hash"

SYSTEM_CRITICAL_PRIORITY = 2_000_000_000


def uid(pod: Object) -> str:
    return str(pod["metadata"]["uid"])


def full_name(pod: Object) -> str:
    """`NAME_NAMESPACE(UID)`, as messages name a pod."""
    meta = pod["metadata"]
    return f"{meta['name']}_{meta['namespace']}({meta['uid']})"


def containers(pod: Object) -> list[Object]:
    return pod["spec"].get("containers") or []


def init_containers(pod: Object) -> list[Object]:
    return pod["spec"].get("initContainers") or []


def ephemeral_containers(pod: Object) -> list[Object]:
    return pod["spec"].get("ephemeralContainers") or []


def all_containers(pod: Object) -> Iterator[tuple[str, Object]]:
    """(field of the spec, container), init containers first."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod["spec"].get(field) or ():
            yield field, container


def find_container(pod: Object, name: str) -> tuple[str, Object] | None:
    return next((found for found in all_containers(pod) if found[1]["name"] == name), None)


def field_path(pod: Object, name: str) -> str:
    """`spec.containers{app}`: involvedObject.fieldPath of a container's events."""
    found = find_container(pod, name)
    return f"spec.{found[0]}{{{name}}}" if found else ""


def is_sidecar(container: Object) -> bool:
    """An init container that keeps running beside the others."""
    return container.get("restartPolicy") == "Always"


def restart_policy(pod: Object) -> str:
    return pod["spec"].get("restartPolicy") or "Always"


def restarts_after(pod: Object, container: Object, exit_code: int, *, init: bool = False) -> bool:
    """Whether a container that ended with `exit_code` is to be started again.

    source  Kubernetes documentation "Pod Lifecycle": restartPolicyRules, then the container's policy, then the pod's
    """
    if init and is_sidecar(container):
        return True
    if matching_action(container, exit_code):
        return True
    policy = container.get("restartPolicy") or restart_policy(pod)
    if policy == "OnFailure" or (init and policy == "Always"):
        return exit_code != 0
    return bool(policy == "Always")


def matching_action(container: Object, exit_code: int) -> str:
    """What the first of the container's rules that names the code wants done; "" without one."""
    rules = container.get("restartPolicyRules") or ()
    return next((str(rule["action"]) for rule in rules if _matches(rule, exit_code)), "")


def _matches(rule: Object, exit_code: int) -> bool:
    codes = rule.get("exitCodes") or {}
    listed = exit_code in (codes.get("values") or ())
    return listed if codes.get("operator") == "In" else not listed


def is_host_network(pod: Object) -> bool:
    return bool(pod["spec"].get("hostNetwork"))


def is_mirror(pod: Object) -> bool:
    return MIRROR in (pod["metadata"].get("annotations") or {})


def is_static(pod: Object) -> bool:
    return (pod["metadata"].get("annotations") or {}).get(SOURCE, "api") != "api"


def is_terminal(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_critical(pod: Object) -> bool:
    """Never evicted, and may push others off the node."""
    return is_static(pod) or is_mirror(pod) or int(pod["spec"].get("priority") or 0) >= SYSTEM_CRITICAL_PRIORITY


def is_deleted(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def grace_s(pod: Object, override: int | None = None) -> int:
    """Seconds the pod has to end, at least 1.

    source  Kubernetes documentation "Pod Lifecycle": the deletion's grace, or an eviction's, or the spec's; never longer
    """
    meta = pod["metadata"]
    grace = int(pod["spec"].get("terminationGracePeriodSeconds", 30))
    if override is not None:
        grace = override
    if is_deleted(pod) and meta.get("deletionGracePeriodSeconds") is not None:
        deletion = int(meta["deletionGracePeriodSeconds"])
        grace = deletion if override is None else min(grace, deletion)
    return max(1, grace)


def container_hash(container: Object) -> str:
    """Changes when the container has to be restarted: with its name or image."""
    seed = orjson.dumps([container["name"], container.get("image", "")])
    return hashlib.sha256(seed).hexdigest()[:8]


def default_tag(image: str) -> str:
    """The reference with `:latest` where it has neither tag nor digest."""
    last = image.rpartition("/")[2]
    return image if ":" in last or "@" in last else f"{image}:latest"


def only_status_differs(old: Object, new: Object) -> bool:
    """Whether nothing but the status, and the marks that every write leaves, tells the two apart."""
    return old["spec"] == new["spec"] and _lasting(old["metadata"]) == _lasting(new["metadata"])


def _lasting(meta: Object) -> Object:
    return {key: value for key, value in meta.items() if key not in ("resourceVersion", "managedFields")}
