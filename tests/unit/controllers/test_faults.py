"""Controllers over an API server that fails at random: what they want comes true once the faults end."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
import virtual
from test_deployment import change_image, deployment
from test_endpoints import service
from test_job import job
from test_statefulset import stateful_set
from world import World

from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.controllers.deployment.loop import DeploymentController
from cybernetes.controllers.endpoints.loop import EndpointsController
from cybernetes.controllers.endpointslice.loop import EndpointSliceController
from cybernetes.controllers.garbagecollector.loop import GarbageCollector
from cybernetes.controllers.job.loop import JobController
from cybernetes.controllers.replicaset.loop import replica_sets
from cybernetes.controllers.statefulset.loop import StatefulSetController
from cybernetes.wire.http.message import Request, Response

Object = dict[str, Any]


class Faults:
    """Delays, refusals, answers lost before and after the effect; drawn from one seed."""

    def __init__(self, w: World, seed: int) -> None:
        self.on = True
        self.lost = 0
        self._random = random.Random(seed)
        self._api = w.api
        self._send = w.api.send
        w.api.send = self.send  # type: ignore[method-assign]

    async def send(self, request: Request) -> Response:
        draw = self._random.random() if self.on else 1.0
        if draw < 0.5:
            await asyncio.sleep(self._random.random())
        if draw < 0.05:
            raise EdgeError(request.method, request.path, "connection refused", outcome=Outcome.NOT_DONE)
        if draw < 0.1:
            error = ApiError(500, "InternalError", "Internal error occurred: chance")
            return Response(500, [], b"") if draw < 0.07 else Response(500, [], _body(error))
        response = await self._send(request)
        if draw < 0.15 and request.method != "GET":
            self.lost += 1
            raise EdgeError(request.method, request.path, "connection reset", outcome=Outcome.UNKNOWN)
        return response

    async def trouble(self) -> None:
        """Cut watches, forget history, be away for a while."""
        while self.on:
            await asyncio.sleep(self._random.random() * 20)
            self._api.cut_watches()
            if self._random.random() < 0.3:
                self._api.compact()
            if self._random.random() < 0.2:
                self._api.down = True
                await asyncio.sleep(self._random.random() * 30)
                self._api.down = False


def _body(error: ApiError) -> bytes:
    import orjson

    return orjson.dumps(error.status())


def become(w: World, pod: Object) -> None:
    if pod["metadata"]["labels"].get("app") == "work":
        pod["spec"]["nodeName"] = "n"
        pod["status"] = {"phase": "Succeeded"}
    else:
        w.run_pod(pod)


def owned_by(w: World, kind: str) -> list[Object]:
    def owner(pod: Object) -> str:
        references = pod["metadata"].get("ownerReferences") or [{"kind": ""}]
        found: str = references[0]["kind"]
        return found

    return [pod for pod in w.pods() if owner(pod) == kind]


@pytest.mark.parametrize("seed", range(6))
def test_everything_converges(seed: int) -> None:
    async def main() -> None:
        w = World(
            DeploymentController,
            replica_sets,
            JobController,
            StatefulSetController,
            EndpointSliceController,
            EndpointsController,
            GarbageCollector,
        )
        w.becomes = lambda pod: become(w, pod)
        faults = Faults(w, seed)
        target = service()
        target["spec"]["ports"] = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
        w.api.put("services", target)
        w.api.put("deployments", deployment(5))
        w.api.put("jobs", job(parallelism=3, completions=7))
        w.api.put("statefulsets", stateful_set(3))
        async with w.running():
            trouble = asyncio.create_task(faults.trouble())
            await w.settle(60)
            w.api.edit("deployments", "web", change_image("app:2"))
            await w.settle(60)
            w.api.edit("deployments", "web", lambda d: d["spec"].update(replicas=8))
            w.api.edit("statefulsets", "db", change_image("app:2"))
            await w.settle(60)
            faults.on = False
            await trouble
            w.api.down = False
            await w.settle(400)
            assert faults.lost >= 3, "the faults were real"
            web = owned_by(w, "ReplicaSet")
            assert [pod["spec"]["containers"][0]["image"] for pod in web] == ["app:2"] * 8
            [live] = w.api.all("deployments")
            assert live["status"]["availableReplicas"] == live["status"]["updatedReplicas"] == 8
            db = owned_by(w, "StatefulSet")
            assert {p["metadata"]["name"]: p["spec"]["containers"][0]["image"] for p in db} == {
                f"db-{n}": "app:2" for n in range(3)
            }
            [done] = w.api.all("jobs")
            assert done["status"]["succeeded"] >= 7 and not done["status"].get("failed")
            assert done["status"]["conditions"][-1]["type"] == "Complete"
            assert not any(pod["metadata"].get("finalizers") for pod in w.api.all("pods"))
            addresses = sorted(pod["status"]["podIP"] for pod in web)
            listed = [e["addresses"][0] for s in w.api.all("endpointslices") for e in s["endpoints"] or []]
            assert sorted(listed) == addresses
            [both] = w.api.all("endpoints")
            assert sorted(a["ip"] for s in both["subsets"] for a in s["addresses"]) == addresses

    virtual.run(main())
