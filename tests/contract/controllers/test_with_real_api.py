"""The controller manager against the real API server, over TLS, under RBAC: each controller as its own account."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from apiserver_fixture import serving_apiserver
from cybernetes.auth import pki
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

    async def status(self, target: Target, name: str, field: str) -> Any:
        live = await self.admin.get(target, name, namespace="default")
        return (live.get("status") or {}).get(field)

    async def until(self, true: Callable[[], Awaitable[bool]], timeout_s: float = 60) -> None:
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
                    elif pod["spec"]["restartPolicy"] == "Never" and pod["status"]["phase"] == "Running":
                        await self._patch(name, namespace, {"phase": "Succeeded"})
                except ApiError as error:
                    if error.reason not in ("NotFound", "Conflict", "Forbidden"):
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
        await self._patch(name, namespace, status)

    async def _patch(self, name: str, namespace: str, status: Object) -> None:
        patch = {"status": status}
        await self.admin.patch(PODS, name, patch, PatchType.STRATEGIC, namespace=namespace, subresource="status")


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Cluster]:
    clock, random = SystemClock(), SystemRandom()
    async with serving_apiserver(folder) as api:
        await api.server.ready()
        admin = ApiClient(api.transport(), user_agent="test", clock=clock)
        manager_transport = api.transport_as("system:kube-controller-manager")
        nobody = HttpTransport(api.url, client_context(api.ca))
        config = ManagerConfig(
            identity="test",
            root_ca="PEM",
            pod_ranges=(("10.244.0.0/16", 24),),
            signer=api.authority,
            account_key=pki.new_key(random),
        )
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


def workload(name: str, restart: str = "Always") -> Object:
    pod = {"restartPolicy": restart, "containers": [{"name": "app", "image": "app:1"}]}
    return {"metadata": {"labels": {"app": name}}, "spec": pod}


def test_every_kind_of_workload_works_under_its_own_account(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as c:
            node = {"metadata": {"name": "node-1"}}
            await c.admin.create(targets.NODES, node)
            ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": rfc3339(SystemClock().now())}
            await c.admin.patch(
                targets.NODES, "node-1", {"status": {"conditions": [ready]}}, PatchType.STRATEGIC, subresource="status"
            )
            storage = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
            selector = {"selector": {"matchLabels": {"app": "db"}}, "template": workload("db")}
            claims = [{"metadata": {"name": "data"}, "spec": storage}]
            db = {
                "metadata": {"name": "db"},
                "spec": {"replicas": 2, "serviceName": "db", **selector, "volumeClaimTemplates": claims},
            }
            await c.admin.create(targets.STATEFUL_SETS, db, namespace="default")
            selector = {"selector": {"matchLabels": {"app": "agent"}}, "template": workload("agent")}
            await c.admin.create(
                targets.DAEMON_SETS, {"metadata": {"name": "agent"}, "spec": selector}, namespace="default"
            )
            job = {"completions": 2, "template": workload("job", "Never")}
            await c.admin.create(targets.JOBS, {"metadata": {"name": "work"}, "spec": job}, namespace="default")
            budget = {
                "metadata": {"name": "db"},
                "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "db"}}},
            }
            await c.admin.create(targets.POD_DISRUPTION_BUDGETS, budget, namespace="default")

            async def all_well() -> bool:
                return (
                    await c.status(targets.STATEFUL_SETS, "db", "availableReplicas") == 2
                    and await c.status(targets.DAEMON_SETS, "agent", "numberAvailable") == 1
                    and await c.status(targets.JOBS, "work", "succeeded") == 2
                    and await c.status(targets.POD_DISRUPTION_BUDGETS, "db", "disruptionsAllowed") == 1
                )

            await c.until(all_well)
            conditions = await c.status(targets.JOBS, "work", "conditions")
            assert [each["type"] for each in conditions] == ["SuccessCriteriaMet", "Complete"]
            live = await c.admin.get(targets.NODES, "node-1")
            assert live["spec"]["podCIDR"] == "10.244.0.0/24" and not live["spec"].get("taints")
            names = {each["metadata"]["name"] for each in await c.all(targets.PERSISTENT_VOLUME_CLAIMS)}
            assert names == {"data-db-0", "data-db-1"}

    asyncio.run(main())


async def _make_small_things(c: Cluster) -> None:
    make = c.admin.create
    account = {"kubernetes.io/service-account.name": "default"}
    secret = {"metadata": {"name": "token", "annotations": account}, "type": "kubernetes.io/service-account-token"}
    await make(targets.SECRETS, secret, namespace="default")
    pem = pki.request(pki.new_key(SystemRandom()), "jane", ("devs",))
    csr = {
        "request": base64.b64encode(pem).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
    }
    made = await make(targets.CERTIFICATE_SIGNING_REQUESTS, {"metadata": {"name": "jane"}, "spec": csr})
    made["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "r", "message": "m"}]}
    await c.admin.update(targets.CERTIFICATE_SIGNING_REQUESTS, made, subresource="approval")
    size = {"storage": "1Gi"}
    volume = {"capacity": size, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/d"}, "storageClassName": "x"}
    await make(targets.PERSISTENT_VOLUMES, {"metadata": {"name": "pv"}, "spec": volume})
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": size}, "storageClassName": "x"}
    await make(targets.PERSISTENT_VOLUME_CLAIMS, {"metadata": {"name": "c"}, "spec": claim}, namespace="default")
    await make(DEPLOYMENTS, deployment(), namespace="default")
    of_web = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": of_web, "minReplicas": 1, "maxReplicas": 2}}
    await make(targets.HORIZONTAL_POD_AUTOSCALERS, scaler, namespace="default")
    await make(targets.CRON_JOBS, {"metadata": {"name": "tick"}, "spec": _every_second()}, namespace="default")
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"secrets": "5", "count/deployments.apps": "3"}}}
    await make(targets.RESOURCE_QUOTAS, quota, namespace="default")


def _every_second() -> Object:
    job = {"spec": {"ttlSecondsAfterFinished": 0, "template": workload("tick", "Never")}}
    return {"schedule": "@every 1s", "jobTemplate": job}


def test_the_smaller_controllers_work_under_their_own_accounts(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as c:
            await _make_small_things(c)

            async def all_well() -> bool:
                secret = await c.admin.get(targets.SECRETS, "token", namespace="default")
                csr = await c.admin.get(targets.CERTIFICATE_SIGNING_REQUESTS, "jane")
                used = await c.status(targets.RESOURCE_QUOTAS, "q", "used")
                return (
                    "token" in (secret.get("data") or {})
                    and bool((csr.get("status") or {}).get("certificate"))
                    and used == {"secrets": "1", "count/deployments.apps": "1"}
                    and await c.status(targets.PERSISTENT_VOLUME_CLAIMS, "c", "phase") == "Bound"
                    and await c.status(targets.HORIZONTAL_POD_AUTOSCALERS, "web", "desiredReplicas") == 2
                    and await c.status(DEPLOYMENTS, "web", "replicas") == 2
                    and bool(await c.status(targets.CRON_JOBS, "tick", "lastSuccessfulTime"))
                )

            await c.until(all_well)

    asyncio.run(main())
