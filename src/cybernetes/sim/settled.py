"""Whether the cluster is what its users asked for: everything runs, nothing is left over."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from cybernetes.base.random import SeededRandom
from cybernetes.proxy.objects import pack, unpack
from cybernetes.proxy.packets.machine import Landed, Machine, Packet
from cybernetes.sim.truth import Truth, object_of
from cybernetes.sim.users import User
from cybernetes.sim.workloads import CROWD_LABEL
from cybernetes.sim.world import World

Object = dict[str, Any]

TCP = 6
# Whoever calls from outside of the cluster.
OUTSIDE = "198.51.100.7"


def unsettled(world: World, users: list[User]) -> Iterator[str]:
    """What is not as it must be; nothing once the cluster has settled. What is asked for first costs least."""
    world.truth.look()
    found = Found(world.truth)
    yield from _namespaces(found, users)
    yield from _deployments(found, users)
    yield from _nodes(found)
    yield from _pods(found)
    yield from _containers(found, world)
    yield from _endpoints(found)
    yield from _packets(found, world)


class Found:
    """The objects of the resources that count, by key without the resource."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth

    def _all(self, prefix: str) -> dict[str, Object]:
        latest = self._truth.latest.items()
        return {key.removeprefix(prefix): object_of(value) for key, (_, value) in latest if key.startswith(prefix)}

    @cached_property
    def pods(self) -> dict[str, Object]:
        return self._all("/core/pods/")

    @property
    def namespaces(self) -> dict[str, Object]:
        return self._all("/core/namespaces/")

    @property
    def nodes(self) -> dict[str, Object]:
        return self._all("/core/nodes/")

    @property
    def deployments(self) -> dict[str, Object]:
        return self._all("/apps/deployments/")

    @property
    def replica_sets(self) -> dict[str, Object]:
        return self._all("/apps/replicasets/")

    @property
    def stateful_sets(self) -> dict[str, Object]:
        return self._all("/apps/statefulsets/")

    @property
    def daemon_sets(self) -> dict[str, Object]:
        return self._all("/apps/daemonsets/")

    @property
    def jobs(self) -> dict[str, Object]:
        return self._all("/batch/jobs/")

    @property
    def services(self) -> dict[str, Object]:
        return self._all("/core/services/")

    @property
    def slices(self) -> dict[str, Object]:
        return self._all("/discovery.k8s.io/endpointslices/")


def _namespaces(found: Found, users: list[User]) -> Iterator[str]:
    gone = {name for user in users for name in user.deleted_namespaces}
    for name, each in found.namespaces.items():
        if name in gone or "deletionTimestamp" in each["metadata"]:
            yield f"namespace {name} is still there"


def _nodes(found: Found) -> Iterator[str]:
    for name, node in found.nodes.items():
        if not _is(node, "Ready"):
            yield f"node {name} is not ready"
        if node["spec"].get("taints"):
            yield f"node {name} has taints: {[each['key'] for each in node['spec']['taints']]}"


def _deployments(found: Found, users: list[User]) -> Iterator[str]:
    wanted = {key: want for user in users for key, want in user.wanted.items()}
    for key in sorted(wanted.keys() ^ found.deployments.keys()):
        yield f"deployment {key} is {'missing' if key in wanted else 'still there'}"
    for key, each in found.deployments.items():
        replicas, image = wanted.get(key, (0, ""))
        status = each.get("status") or {}
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
        if counts != [replicas] * 4 or status.get("observedGeneration") != each["metadata"]["generation"]:
            yield f"deployment {key} wants {replicas}, has {counts}"
        if each["spec"]["template"]["spec"]["containers"][0]["image"] != image:
            yield f"deployment {key} has another image than {image}"


def _pods(found: Found) -> Iterator[str]:
    for key, pod in found.pods.items():
        phase = pod["status"].get("phase")
        if "deletionTimestamp" in pod["metadata"]:
            yield f"pod {key} is being deleted"
        elif phase == "Pending" and CROWD_LABEL in (pod["metadata"].get("labels") or {}):
            # Whoever comes later, with any priority, has its place.
            continue
        elif phase not in ("Succeeded", "Failed") and not _is(pod, "Ready"):
            yield f"pod {key} is {phase}"
        elif pod["spec"]["containers"][0]["image"] == "task:1" and phase == "Running":
            yield f"pod {key} should have ended"
    yield from _owned(found)


def _owned(found: Found) -> Iterator[str]:
    """Each owner has as many live pods as it wants, and none is left without its owner."""
    live: dict[str, int] = {}
    for pod in found.pods.values():
        if pod["status"].get("phase") not in ("Succeeded", "Failed"):
            for owner in pod["metadata"].get("ownerReferences") or ():
                live[owner["uid"]] = live.get(owner["uid"], 0) + 1
    for kind, (key, each), wanted in _owners(found):
        has = live.pop(each["metadata"]["uid"], 0)
        if has != wanted:
            yield f"{kind} {key} wants {wanted} pods and has {has}"
    if live:
        yield f"pods of {sorted(live)} are left over"


def _owners(found: Found) -> Iterator[tuple[str, tuple[str, Object], int]]:
    for kind, owners in (("replica set", found.replica_sets), ("stateful set", found.stateful_sets)):
        for item in owners.items():
            yield kind, item, item[1]["spec"]["replicas"]
    for item in found.daemon_sets.items():
        yield "daemon set", item, len(found.nodes)
    for item in found.jobs.items():
        yield "job", item, _wanted_of(item[1])


def _wanted_of(job: Object) -> int:
    if _is(job, "Complete") or _is(job, "Failed"):
        return 0
    spec, status = job["spec"], job.get("status") or {}
    return min(spec["parallelism"], spec["completions"] - status.get("succeeded", 0))


def _containers(found: Found, world: World) -> Iterator[str]:
    wanted = {
        (pod["spec"].get("nodeName", ""), pod["metadata"]["uid"])
        for pod in found.pods.values()
        if pod["status"].get("phase") == "Running"
    }
    running = {(each.name, label.partition("/")[0]) for each in world.machines for label in each.runtime.running()}
    for node, uid in sorted(wanted ^ running):
        yield f"pod {uid} on {node} {'does not run' if (node, uid) in wanted else 'runs on'}"


def _endpoints(found: Found) -> Iterator[str]:
    for key, service in found.services.items():
        namespace, _, name = key.rpartition("/")
        if not service["spec"].get("selector"):
            continue
        ready = _ready(found, key, service)
        listed = sorted(
            endpoint["addresses"][0]
            for place, each in found.slices.items()
            if place.startswith(f"{namespace}/")
            and (each["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name
            for endpoint in each.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready")
        )
        if ready != listed:
            yield f"service {key} lists {listed}, ready are {ready}"


def _ready(found: Found, key: str, service: Object) -> list[str]:
    """Addresses of the ready pods of a service."""
    within = key[: key.index("/") + 1]
    return sorted(
        pod["status"]["podIP"]
        for place, pod in found.pods.items()
        if place.startswith(within) and _matches(pod, service["spec"]["selector"]) and _is(pod, "Ready")
    )


def _packets(found: Found, world: World) -> Iterator[str]:
    """A packet to a service lands at a ready pod, or nowhere when there is none."""
    node = world.machines[0]
    kernel = Machine(node.packets, frozenset((pack(node.address),)), SeededRandom(len(found.pods)))
    for key, service in found.services.items():
        if not service["spec"].get("selector"):
            continue
        ready = _ready(found, key, service)
        packet = Packet(pack(OUTSIDE), pack(service["spec"]["clusterIP"]), TCP, service["spec"]["ports"][0]["port"])
        for _ in range(1 + len(ready)):
            fate = kernel.send(packet)
            landed = unpack(fate.destination) if isinstance(fate, Landed) else ""
            if landed not in (ready or [""]):
                yield f"a packet to service {key} landed at {landed or fate}, ready are {ready}"


def _matches(pod: Object, selector: dict[str, str]) -> bool:
    return selector.items() <= (pod["metadata"].get("labels") or {}).items()


def _is(obj: Object, condition: str) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)
