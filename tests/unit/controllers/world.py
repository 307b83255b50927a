"""Controllers, an API server in memory, and a kubelet that starts every pod at once: in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import virtual
from fake_api import FakeApi

from cybernetes.base.clock import rfc3339
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.events import EventRecorder
from cybernetes.controllers.informers import Informers
from cybernetes.controllers.loop import Controller, Edges

Object = dict[str, Any]
V = TypeVar("V")


class World:
    """`kubelet` decides what becomes of a pod; by default it is bound, running and ready after a moment."""

    def __init__(self, *build: Callable[[Edges], Controller]) -> None:
        self.clock = virtual.VirtualClock()
        self.api = FakeApi(self.clock)
        self.client = ApiClient(self.api, user_agent="test", clock=self.clock)
        random = SeededRandom(7)
        self.informers = Informers(self.client, self.clock, random)
        self.recorder = EventRecorder(self.client, component="test", clock=self.clock)
        self.edges = Edges(self.client, self.recorder, self.informers, self.clock, random)
        self.controllers = [make(self.edges) for make in build]
        self.becomes: Callable[[Object], None] = self.run_pod
        self.kubelet_on = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.informers.run(), name="informers")]
            tasks += [group.create_task(each.run(), name="controller") for each in self.controllers]
            tasks += [group.create_task(self.recorder.run(), name="events")]
            tasks += [group.create_task(self._kubelet(), name="kubelet")]
            yield
            for task in tasks:
                task.cancel()

    async def settle(self, seconds: float = 3) -> None:
        await asyncio.sleep(seconds)

    def run_pod(self, pod: Object) -> None:
        pod["spec"]["nodeName"] = pod["spec"].get("nodeName") or "node-1"
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(self.clock.now())}
        number = pod["metadata"]["resourceVersion"]
        pod["status"] = {
            "phase": "Running",
            "conditions": [ready],
            "podIP": f"10.244.{int(number) // 250}.{int(number) % 250 + 1}",
            "podIPs": [{"ip": f"10.244.{int(number) // 250}.{int(number) % 250 + 1}"}],
        }

    async def _kubelet(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            for pod in self.api.all("pods") if self.kubelet_on else []:
                name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
                if "deletionTimestamp" in pod["metadata"]:
                    if not pod["metadata"].get("finalizers"):
                        self.api.remove("pods", name, namespace)
                elif pod["status"]["phase"] == "Pending":
                    self.api.edit("pods", name, self.becomes, namespace)

    def pods(self) -> list[Object]:
        return [pod for pod in self.api.all("pods") if "deletionTimestamp" not in pod["metadata"]]

    def events(self) -> list[tuple[str, str]]:
        """(reason, message) of all events, sorted."""
        return sorted((each["reason"], each["message"]) for each in self.api.all("events"))


def view_of(obj: Object, kind: type[V]) -> V:
    """An object as controllers see it."""
    return msgspec.json.decode(msgspec.json.encode(obj), type=kind)


def template(**labels: str) -> Object:
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}


def replica_set(name: str, replicas: int, *, api_version: str = "apps/v1", kind: str = "ReplicaSet") -> Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "default", "uid": f"{name}-uid"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(app=name)},
    }


def pod(name: str, *, owner: Object | None = None, **labels: str) -> Object:
    metadata: Object = {"name": name, "namespace": "default", "labels": labels}
    if owner:
        metadata["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
            }
        ]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "app"}]}}
