"""In-place resize: what a pod is given of what it asks for, and bringing that to its containers.

Three sets of resources: desired (the spec), allocated (what the node has granted) and actuated (what
the containers run with). Everything else in the kubelet sees the pod with its allocated resources.

source  kubernetes.io "Resize CPU and Memory Resources assigned to Containers"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson

from cybernetes.base.errors import EdgeError
from cybernetes.kubelet import cri_config, pods, resources
from cybernetes.kubelet.admit import short_of
from cybernetes.kubelet.observe import Observed
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.resources import Amounts, CgroupLimits
from cybernetes.kubelet.runtime.api import ContainerStatus
from cybernetes.kubelet.tools import Tools

Given = dict[str, Object]
# Beside the names of containers: what the whole pod is given.
WHOLE = ""
_RESIZABLE = ("cpu", "memory")


def listed(pod: Object) -> Given:
    """Resources by container name, and those of the whole pod."""
    of_containers = {each["name"]: each.get("resources") or {} for _, each in pods.all_containers(pod)}
    return {WHOLE: pod["spec"].get("resources") or {}, **of_containers}


def known_before(pod: Object) -> Given:
    """What the pod was granted according to its status, for containers that were started; else what it asks for."""
    result, shown = listed(pod), pod.get("status") or {}
    result[WHOLE] = shown.get("resources") or result[WHOLE]
    for field in ("containerStatuses", "initContainerStatuses"):
        for status in shown.get(field) or ():
            if status.get("containerID") and status.get("resources") and status["name"] in result:
                result[status["name"]] = status["resources"]
    return result


def with_resources(pod: Object, given: Given) -> Object:
    """The pod with `given` in place of what its spec says; the same object when that is equal."""
    if listed(pod) == given:
        return pod
    spec = {**pod["spec"], "resources": given[WHOLE]}
    for field in ("initContainers", "containers"):
        if field in spec:
            spec[field] = [
                {**each, "resources": given.get(each["name"], each.get("resources") or {})} for each in spec[field]
            ]
    return {**pod, "spec": spec}


def refusal(pod: Object, others: Sequence[Object], allocatable: Amounts) -> tuple[str, str] | None:
    """(Infeasible or Deferred, message) when the node can't grant what the pod asks for; None when it can."""
    alone = short_of(pod, [], allocatable)
    if alone is not None:
        return "Infeasible", alone.message
    crowded = short_of(pod, others, allocatable)
    return ("Deferred", crowded.message) if crowded is not None else None


def needs_restart(container: Object, old: Object, new: Object) -> bool:
    """Whether the container's resize policy wants a restart for what changes."""
    policies = {each["resourceName"]: each.get("restartPolicy") for each in container.get("resizePolicy") or ()}
    return any(_changes(old, new, name) and policies.get(name) == "RestartContainer" for name in _RESIZABLE)


def _changes(old: Object, new: Object, name: str) -> bool:
    return any((old.get(which) or {}).get(name) != (new.get(which) or {}).get(name) for which in ("requests", "limits"))


def in_effect(whole: Object, own: Object) -> Object:
    """Resources of a container: the pod's limits stand in for its own."""
    return {
        "requests": own.get("requests") or {},
        "limits": {**(whole.get("limits") or {}), **(own.get("limits") or {})},
    }


def described(pod: Object, error: str = "") -> str:
    """The JSON of resize events."""
    result: dict[str, Any] = {}
    for field in ("initContainers", "containers"):
        rows = [
            {"name": each["name"], "resources": each.get("resources") or {}}
            for each in pod["spec"].get(field) or ()
            if field == "containers" or pods.is_sidecar(each)
        ]
        if rows:
            result[field] = rows
    result["generation"] = pod["metadata"].get("generation", 0)
    if error:
        result["error"] = error
    return orjson.dumps(result).decode()


def _memory_limit(given: Object) -> int:
    return resources.limits({"resources": given}).get("memory", 0)


def is_lowered(old: Object, new: Object) -> bool:
    """Whether less memory is allowed than before."""
    before, after = _memory_limit(old), _memory_limit(new)
    return bool(after) and (not before or after < before)


def _too_low(what: str, limit: int, used: int) -> EdgeError:
    why = f"attempting to set {what} memory limit ({limit}) below current usage ({used})"
    return EdgeError("resize", what, why)


class Resizer:
    """One pod's allocation. `others`: the pods that share the node with it."""

    def __init__(self, tools: Tools, pod: Object, others: Callable[[], Sequence[Object]]) -> None:
        self._tools = tools
        self._others = others
        self._allocated = known_before(pod)
        # By container id: what its spec said when it got it, and what that came to.
        self._actuated: Given = {}
        self._in_effect: Given = {}
        self._of_pod = self._allocated[WHOLE]
        self._pending: tuple[str, str] | None = None
        self._error = ""
        self.under_way = False

    def accept(self, pod: Object) -> Object:
        """The pod with the resources it is granted now."""
        desired = listed(pod)
        if desired == self._allocated:
            self._pending = None
            return pod
        if not self._is_resize(desired):
            self._allocated = desired
            return pod
        refused = refusal(pod, self._others(), self._tools.allocatable)
        if refused is None:
            self._pending = None
            self._allocated = desired
            self.under_way = True
            self._say(pod, "Normal", "ResizeStarted", f"Pod resize started: {described(pod)}")
            return pod
        if refused != self._pending:
            self._pending = refused
            self._say(pod, "Warning", f"Resize{refused[0]}", f"Pod resize {refused[0]}: {described(pod, refused[1])}")
        return with_resources(pod, {**desired, **{k: v for k, v in self._allocated.items() if k in desired}})

    @property
    def waits(self) -> bool:
        return self._pending is not None and self._pending[0] == "Deferred"

    def _is_resize(self, desired: Given) -> bool:
        """Whether known containers changed, rather than containers came or went."""
        return any(self._allocated.get(name, value) != value for name, value in desired.items())

    def started(self, name: str, container_id: str) -> None:
        """A container was made with what is allocated."""
        self._actuated[container_id] = self._allocated.get(name, {})
        self._in_effect[container_id] = self._wanted(name)

    def _wanted(self, name: str) -> Object:
        return in_effect(self._allocated[WHOLE], self._allocated.get(name, {}))

    def actuated(self) -> Mapping[str, Object]:
        return self._actuated

    def of_pod(self) -> Object:
        """What the pod as a whole runs with."""
        return self._of_pod

    def conditions(self) -> tuple[dict[str, Any], ...]:
        result: list[dict[str, Any]] = []
        if self._pending is not None:
            reason, message = self._pending
            result.append({"type": "PodResizePending", "status": "True", "reason": reason, "message": message})
        if self.under_way:
            progress: dict[str, Any] = {"type": "PodResizeInProgress", "status": "True"}
            if self._error:
                progress.update(reason="Error", message=self._error)
            result.append(progress)
        return tuple(result)

    async def actuate(self, pod: Object, observed: Observed) -> list[ContainerStatus]:
        """Bring the allocation to running containers; those that have to be restarted for it. Raises EdgeError."""
        running = {each.name: each for each in observed.running()}
        ids = {each.id for each in running.values()}
        self._actuated = {key: each for key, each in self._actuated.items() if key in ids}
        self._in_effect = {key: each for key, each in self._in_effect.items() if key in ids}
        restarts: list[ContainerStatus] = []
        updates: list[tuple[Object, ContainerStatus]] = []
        for _, container in pods.all_containers(pod):
            status = running.get(container["name"])
            if status is None:
                continue
            wanted = self._wanted(status.name)
            if status.id not in self._in_effect and not self.under_way:
                self.started(status.name, status.id)
            current = self._in_effect.setdefault(status.id, {})
            if current == wanted:
                self._actuated[status.id] = self._allocated.get(status.name, {})
            elif needs_restart(container, current, wanted):
                restarts.append(status)
            else:
                updates.append((container, status))
        with self._telling(pod):
            await self._check_usage(pod, updates)
            if updates:
                await self._update(pod, updates)
            # Not before those that restart have ended: what they run with may be more than the pod gets.
            if not restarts and (updates or self.under_way):
                await self._bound(pod)
        if self.under_way and not restarts:
            self.under_way = False
            self._say(pod, "Normal", "ResizeCompleted", f"Pod resize completed: {described(pod)}")
        return restarts

    @contextmanager
    def _telling(self, pod: Object) -> Iterator[None]:
        try:
            yield
        except EdgeError as error:
            if self._error != error.message:
                self._say(pod, "Warning", "ResizeError", f"Pod resize error: {described(pod, error.message)}")
            self._error = error.message
            raise
        self._error = ""

    async def _update(self, pod: Object, updates: Sequence[tuple[Object, ContainerStatus]]) -> None:
        """The pod's cgroup is wide open while containers change: neither order of growing and shrinking is refused."""
        tools = self._tools
        shares = resources.pod_cgroup_limits(pod, tools.config.pod_pids_max).cpu_shares
        path = resources.pod_cgroup(tools.config.cgroup_root, pod)
        await tools.host.ensure_cgroup(path, CgroupLimits(cpu_shares=shares))
        for container, status in updates:
            new = cri_config.container_resources(pod, container, tools.facts.machine, v2=tools.facts.cgroup_v2)
            new.oom_score_adj = 0
            await tools.runtime.update_resources(status.id, new)
            self.started(status.name, status.id)

    async def _bound(self, pod: Object) -> None:
        config = self._tools.config
        limits = resources.pod_cgroup_limits(pod, config.pod_pids_max)
        await self._tools.host.ensure_cgroup(resources.pod_cgroup(config.cgroup_root, pod), limits)
        self._of_pod = self._allocated[WHOLE]

    async def _check_usage(self, pod: Object, updates: Sequence[tuple[Object, ContainerStatus]]) -> None:
        """Raises EdgeError where less memory would be allowed than is used: the kernel would take it by killing."""
        lowered = [
            (status, _memory_limit(self._wanted(status.name)))
            for _, status in updates
            if is_lowered(self._in_effect.get(status.id) or {}, self._wanted(status.name))
        ]
        whole = self._allocated[WHOLE]
        if not lowered and not is_lowered(self._of_pod, whole):
            return
        used = {each.id: each.working_set_bytes for each in await self._tools.runtime.stats(pods.uid(pod))}
        for status, limit in lowered:
            if used.get(status.id, 0) > limit:
                raise _too_low(f'container "{status.name}"', limit, used[status.id])
        if is_lowered(self._of_pod, whole):
            limit = _memory_limit(whole)
            if sum(used.values()) > limit:
                raise _too_low("pod", limit, sum(used.values()))

    def _say(self, pod: Object, kind: str, reason: str, message: str) -> None:
        self._tools.say(pod, "", kind, reason, message)
