"""People who use the cluster: each in namespaces of their own, one deed after the other, until the answer is known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import (
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    STATEFUL_SETS,
    Target,
)
from cybernetes.sim import workloads
from cybernetes.sim.transcript import Transcript

Object = dict[str, Any]

# Enough for plans to overlap, little enough that two nodes hold everything.
REPLICAS_MAX = 4
DEPLOYMENTS_MAX = 3
CPU = "250m"
# What some users begin with: a full cluster, jobs by the minute.
CROWDS, SCHEDULES = "crowds", "schedules"
RETRY_S = 1.0
PAUSE_S = 2.5


class User:
    """A person.

    habits  what this one begins with: CROWDS, SCHEDULES
    wanted  what must be there in the end: deployments with replicas and image, by `namespace/name`
    """

    def __init__(
        self,
        name: str,
        client: ApiClient,
        random: Random,
        transcript: Transcript,
        nodes: list[str],
        habits: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.habits = habits
        self.wanted: dict[str, tuple[int, str]] = {}
        self.deleted_namespaces: dict[str, None] = {}
        self._client = client
        self._random = random
        self._transcript = transcript
        self._nodes = nodes
        self._namespace = ""
        self._numbers = 0

    async def act(self, deeds: int) -> None:
        await self._make_namespace()
        if CROWDS in self.habits:
            await self._crowd()
        if SCHEDULES in self.habits:
            await self._schedule()
        for _ in range(deeds):
            await asyncio.sleep(PAUSE_S * self._random.below(1000) / 1000)
            await self._choose()()

    def _choose(self) -> Callable[[], Awaitable[None]]:
        weighted = (
            (4, self._make_deployment),
            (4, self._scale),
            (2, self._roll_out),
            (1, self._delete_deployment),
            (2, self._make_service),
            (2, self._run_task),
            (2, self._bind_by_hand),
            (1, self._run_job),
            (1, self._run_daemons),
            (1, self._run_members),
            (2, self._delete_pod),
            (1, self._cordon),
            (1, self._move),
        )
        drawn = self._random.below(sum(weight for weight, _ in weighted))
        for weight, deed in weighted:
            drawn -= weight
            if drawn < 0:
                return deed
        raise AssertionError

    # Deeds.

    async def _make_namespace(self) -> None:
        self._namespace = self._next("ns")
        await self._create(NAMESPACES, {"metadata": {"name": self._namespace}}, namespace="")

    async def _make_deployment(self) -> None:
        if len(self.wanted) >= DEPLOYMENTS_MAX:
            return
        name, replicas = self._next("web"), 1 + self._random.below(REPLICAS_MAX)
        if await self._create(DEPLOYMENTS, _deployment(name, replicas)):
            self.wanted[f"{self._namespace}/{name}"] = (replicas, "app:1")
            if self._random.below(2):
                await self._create(SERVICES, _service(name))

    async def _scale(self) -> None:
        key = self._some()
        if key:
            replicas = self._random.below(REPLICAS_MAX + 1)
            await self._patch(DEPLOYMENTS, key, {"spec": {"replicas": replicas}})
            self.wanted[key] = (replicas, self.wanted[key][1])

    async def _roll_out(self) -> None:
        key = self._some()
        if key:
            image = f"app:{1 + self._random.below(2)}"
            containers = [{"name": "app", "image": image}]
            await self._patch(DEPLOYMENTS, key, {"spec": {"template": {"spec": {"containers": containers}}}})
            self.wanted[key] = (self.wanted[key][0], image)

    async def _delete_deployment(self) -> None:
        key = self._some()
        if key:
            propagation = ("Background", "Foreground")[self._random.below(2)]
            await self._delete(DEPLOYMENTS, key, propagation=propagation)
            del self.wanted[key]

    async def _make_service(self) -> None:
        key = self._some()
        if key:
            await self._create(SERVICES, _service(key.rpartition("/")[2]))

    async def _run_task(self) -> None:
        await self._create(PODS, _pod(self._next("task"), "task:1", "Never"))

    async def _bind_by_hand(self) -> None:
        """Compete with the scheduler; one of the two is refused."""
        name, node = self._next("hand"), self._nodes[self._random.below(len(self._nodes))]
        if not await self._create(PODS, _pod(name, "task:1", "Never", cpu="")):
            return
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        await self._until_known(
            "bind",
            name,
            lambda: self._client.create(PODS, binding, namespace=self._namespace, name=name, subresource="binding"),
        )

    async def _run_job(self) -> None:
        template = {"spec": _pod("", "task:1", "Never")["spec"]}
        spec = {"completions": 2, "parallelism": 2, "template": template}
        await self._create(JOBS, {"metadata": {"name": self._next("job")}, "spec": spec})

    async def _run_daemons(self) -> None:
        name = self._next("daemon")
        await self._create(DAEMON_SETS, {"metadata": {"name": name}, "spec": _template(name, cpu="")})

    async def _run_members(self) -> None:
        name = self._next("member")
        spec = {"replicas": 1 + self._random.below(3), "serviceName": name, **_template(name, cpu="100m")}
        await self._create(STATEFUL_SETS, {"metadata": {"name": name}, "spec": spec})

    async def _crowd(self) -> None:
        for target, obj in workloads.crowd(len(self._nodes), _pod("", "app:1", "Always", cpu=workloads.CROWD_CPU)):
            await self._create(target, obj, namespace=self._namespace if target.namespaced else "")

    async def _schedule(self) -> None:
        policy = workloads.POLICIES[self._random.below(len(workloads.POLICIES))]
        target, obj = workloads.cron_job(policy, _pod("", workloads.LONG_IMAGE, "Never", cpu=""))
        await self._create(target, obj)

    async def _delete_pod(self) -> None:
        found = await self._until_known("list", "pods", lambda: self._client.list(PODS, namespace=self._namespace))
        names = [each["metadata"]["name"] for each in found.objects()] if found is not None else []
        if names:
            await self._delete(PODS, f"{self._namespace}/{names[self._random.below(len(names))]}")

    async def _cordon(self) -> None:
        node = self._nodes[self._random.below(len(self._nodes))]
        await self._patch(NODES, f"/{node}", {"spec": {"unschedulable": True}})
        await asyncio.sleep(PAUSE_S)
        await self._patch(NODES, f"/{node}", {"spec": {"unschedulable": None}})

    async def _move(self) -> None:
        """Give up this namespace for another one."""
        old = self._namespace
        await self._delete(NAMESPACES, f"/{old}")
        self.wanted.clear()
        self.deleted_namespaces[old] = None
        await self._make_namespace()

    # How they are done.

    def _some(self) -> str:
        keys = list(self.wanted)
        return keys[self._random.below(len(keys))] if keys else ""

    def _next(self, kind: str) -> str:
        self._numbers += 1
        return f"{self.name}-{kind}-{self._numbers}"

    async def _create(self, target: Target, obj: Object, namespace: str | None = None) -> bool:
        """Whether it is there now."""
        inside = self._namespace if namespace is None else namespace
        name = obj["metadata"]["name"]
        made = await self._until_known("create", name, lambda: self._client.create(target, obj, namespace=inside))
        return made is not None

    async def _patch(self, target: Target, key: str, patch: Object) -> None:
        namespace, _, name = key.rpartition("/")
        await self._until_known(
            "patch", key, lambda: self._client.patch(target, name, patch, PatchType.STRATEGIC, namespace=namespace)
        )

    async def _delete(self, target: Target, key: str, *, propagation: str = "") -> None:
        namespace, _, name = key.rpartition("/")
        await self._until_known(
            "delete", key, lambda: self._client.delete(target, name, namespace=namespace, propagation=propagation)
        )

    async def _until_known(self, verb: str, what: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """The answer, None for a refusal; again until there is one. AlreadyExists: an earlier try succeeded."""
        while True:
            try:
                answer = await call()
                self._transcript.say(f"user {self.name} {verb} {what}")
                return answer
            except EdgeError:
                pass
            except ApiError as refused:
                if refused.reason == "AlreadyExists":
                    return {}
                if refused.code < 500 and refused.code != 429:
                    self._transcript.say(f"user {self.name} {verb} {what}: {refused.reason}")
                    return None
            await asyncio.sleep(RETRY_S)


def _deployment(name: str, replicas: int) -> Object:
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, **_template(name, cpu=CPU)}}


def _template(app: str, *, cpu: str) -> Object:
    """Selector and template of a workload."""
    labels = {"app": app}
    return {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": _pod("", "app:1", "Always", cpu=cpu)["spec"]},
    }


def _service(app: str) -> Object:
    spec = {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"metadata": {"name": app}, "spec": spec}


def _pod(name: str, image: str, restart: str, *, cpu: str = CPU) -> Object:
    resources = {"requests": {"cpu": cpu}} if cpu else {}
    containers = [{"name": "app", "image": image, "resources": resources}]
    grace = {"terminationGracePeriodSeconds": 2}
    return {"metadata": {"name": name}, "spec": {"restartPolicy": restart, "containers": containers, **grace}}
