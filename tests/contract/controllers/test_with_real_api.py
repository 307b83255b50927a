"""The controller manager against the real API server, over TLS, under RBAC: each controller as its own account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from apiserver_fixture import serving_apiserver
from cybernetes.base.clock import SystemClock, rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SystemRandom
from cybernetes.client import target as targets
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import DEPLOYMENTS, NAMESPACES, PODS, SERVICES, Target
from cybernetes.controllers.manager import ControllerManager, ManagerConfig
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.tls import client_context

Object = dict[str, Any]


class Cluster(msgspec.Struct):
    """`admin` may do everything; pods that are made run at once on a node that is only a name."""

    admin: ApiClient

    async def all(self, target: Target, namespace: str = "default") -> list[Object]:
        return (await self.admin.list(target, namespace=namespace)).objects()

    async def until(self, true: Callable[[], Awaitable[bool]], timeout_s: float = 20) -> None:
        async with asyncio.timeout(timeout_s):
            while not await true():  # noqa: ASYNC110 -- the server is asked, as any client would
                await asyncio.sleep(0.05)

    async def kubelet(self) -> None:
        number = 0
        while True:
            await asyncio.sleep(0.05)
            for pod in (await self.admin.list(PODS)).objects():
                name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
                try:
                    if "deletionTimestamp" in pod["metadata"]:
                        await self.admin.delete(PODS, name, namespace=namespace, grace_s=0)
                    elif not pod["spec"].get("nodeName"):
                        binding = {"metadata": {"name": name}, "target": {"kind": "Node", "name": "node-1"}}
                        await self.admin.create(
                            PODS,
                            {"kind": "Binding", "apiVersion": "v1", **binding},
                            namespace=namespace,
                            name=name,
                            subresource="binding",
                        )
                    elif pod["status"]["phase"] == "Pending":
                        number += 1
                        await self._run(name, namespace, number)
                except ApiError as error:
                    if error.reason not in ("NotFound", "Conflict"):
                        raise

    async def _run(self, name: str, namespace: str, number: int) -> None:
        now = rfc3339(SystemClock().now())
        ip = f"10.244.0.{number % 250 + 1}"
        status = {
            "phase": "Running",
            "startTime": now,
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}],
        }
        await self.admin.patch(
            PODS, name, {"status": status}, PatchType.STRATEGIC, namespace=namespace, subresource="status"
        )


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    clock, random = SystemClock(), SystemRandom()
    async with serving_apiserver(folder) as api:
        await api.server.ready()
        admin = ApiClient(api.transport(), user_agent="test", clock=clock)
        manager_transport = api.transport_as("system:kube-controller-manager")
        nobody = HttpTransport(api.url, client_context(api.ca))
        config = ManagerConfig(identity="test", root_ca="PEM", pod_ranges=(("10.244.0.0/16", 24),))
        manager = ControllerManager(
            ApiClient(manager_transport, user_agent="kube-controller-manager", clock=clock),
            clock,
            random,
            config,
            accounts=nobody,
        )
        running = Cluster(admin)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(manager.run(), name="manager"),
                group.create_task(running.kubelet(), name="kubelet"),
            ]
            await running.until(lambda: _has_default_account(running))
            yield running
            for task in tasks:
                task.cancel()
        for transport in (manager_transport, nobody):
            await transport.close()
        await admin.close()


async def _has_default_account(running: Cluster) -> bool:
    accounts = await running.all(targets.SERVICE_ACCOUNTS)
    return any(each["metadata"]["name"] == "default" for each in accounts)


def deployment(replicas: int = 3, image: str = "app:1") -> Object:
    return {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [{"name": "app", "image": image, "ports": [{"name": "http", "containerPort": 80}]}]
                },
            },
        },
    }


def test_a_deployment_and_its_service_live_and_die(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as c:
            await c.admin.create(DEPLOYMENTS, deployment(), namespace="default")
            service = {
                "metadata": {"name": "web"},
                "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
            }
            await c.admin.create(SERVICES, service, namespace="default")

            async def available(image: str, replicas: int) -> bool:
                live = await c.admin.get(DEPLOYMENTS, "web", namespace="default")
                pods = await c.all(PODS)
                images = {each["spec"]["containers"][0]["image"] for each in pods}
                status = live.get("status", {})
                done = status.get("availableReplicas") == status.get("updatedReplicas") == len(pods) == replicas
                return done and images == {image}

            await c.until(lambda: available("app:1", 3))

            async def three_endpoints() -> bool:
                slices = [s for s in await c.all(targets.ENDPOINT_SLICES) if s["metadata"]["name"].startswith("web")]
                both = [s for s in await c.all(targets.ENDPOINTS) if s["metadata"]["name"] == "web"]
                ready = [e for s in slices for e in s["endpoints"] or [] if e["conditions"]["ready"]]
                addresses = [a for b in both for s in b.get("subsets") or [] for a in s.get("addresses") or []]
                return len(ready) == len(addresses) == 3

            await c.until(three_endpoints)
            patch = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:2"}]}}}}
            await c.admin.patch(DEPLOYMENTS, "web", patch, PatchType.STRATEGIC, namespace="default")
            await c.until(lambda: available("app:2", 3))
            live = await c.admin.get(DEPLOYMENTS, "web", namespace="default")
            assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
            assert live["metadata"]["generation"] == 2
            sets = {
                each["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
                for each in await c.all(targets.REPLICA_SETS)
            }
            assert sets == {"1", "2"}
            await c.admin.delete(DEPLOYMENTS, "web", namespace="default", propagation="Foreground")

            async def gone() -> bool:
                return not (await c.all(DEPLOYMENTS) or await c.all(targets.REPLICA_SETS) or await c.all(PODS))

            await c.until(gone)

    asyncio.run(main())


def test_a_namespace_is_furnished_and_emptied(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as c:
            await c.admin.create(NAMESPACES, {"metadata": {"name": "shop"}})

            async def furnished() -> bool:
                maps = await c.all(targets.CONFIG_MAPS, "shop")
                accounts = await c.all(targets.SERVICE_ACCOUNTS, "shop")
                return [m["data"] for m in maps] == [{"ca.crt": "PEM"}] and len(accounts) == 1

            await c.until(furnished)
            await c.admin.create(DEPLOYMENTS, {**deployment(2), "metadata": {"name": "web"}}, namespace="shop")

            async def two_pods() -> bool:
                return len(await c.all(PODS, "shop")) == 2

            await c.until(two_pods)
            await c.admin.delete(NAMESPACES, "shop")

            async def gone() -> bool:
                return "shop" not in [n["metadata"]["name"] for n in (await c.admin.list(NAMESPACES)).objects()]

            await c.until(gone)

    asyncio.run(main())
