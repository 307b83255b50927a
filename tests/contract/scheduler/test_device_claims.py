"""Devices from template to pod, on a real API server: the controller makes the claim, the scheduler finds the device."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from test_scheduler_with_api import SPACE, World, running, until, world

from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.events import EventRecorder
from cybernetes.client.target import EVENTS, PODS, RESOURCE_CLAIMS
from cybernetes.controllers.informers import Informers
from cybernetes.controllers.loop import Edges
from cybernetes.controllers.resourceclaim.loop import TEMPLATES, ResourceClaimController
from cybernetes.scheduler.devices.state import CLASSES, SLICES

DRIVER = "gpu.example.com"


class Controller:
    """The controller of claims, as its own account, without a manager around it."""

    def __init__(self, api: World) -> None:
        account = "system:serviceaccount:kube-system:resource-claim-controller"
        self.client = ApiClient(api.transport_as(account), user_agent="test", clock=api.clock)
        self.manager = ApiClient(api.transport_as("system:kube-controller-manager"), user_agent="test", clock=api.clock)
        informers, random = Informers(self.manager, api.clock, SeededRandom(2)), SeededRandom(3)
        recorder = EventRecorder(self.client, component="resource_claim", clock=api.clock)
        edges = Edges(self.client, recorder, informers, api.clock, random)
        controller = ResourceClaimController(edges)
        self.parts = (informers, recorder, controller)


async def prepare(api: World, stack: AsyncExitStack, devices: int) -> None:
    await api.ready()
    await api.node("a")
    await api.node("b")
    await api.admin.create(CLASSES, {"metadata": {"name": "gpu"}, "spec": {}})
    spec = {
        "driver": DRIVER,
        "nodeName": "b",
        "pool": {"name": "b", "generation": 1, "resourceSliceCount": 1},
        "devices": [{"name": f"gpu-{n}"} for n in range(devices)],
    }
    await api.admin.create(SLICES, {"metadata": {"name": "b-gpus"}, "spec": spec})
    requests = [{"name": "gpu", "exactly": {"deviceClassName": "gpu"}}]
    template = {"metadata": {"name": "one-gpu"}, "spec": {"spec": {"devices": {"requests": requests}}}}
    await api.admin.create(TEMPLATES, template, namespace=SPACE)
    controller = Controller(api)
    stack.push_async_callback(controller.client.close)
    stack.push_async_callback(controller.manager.close)
    for part in controller.parts:
        await stack.enter_async_context(running(part))
    await stack.enter_async_context(running(api.scheduler()))


async def pod(api: World, name: str) -> None:
    claims = [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}]
    await api.pod(name, resourceClaims=claims, terminationGracePeriodSeconds=0)


async def claims(api: World) -> list[dict[str, Any]]:
    return (await api.admin.list(RESOURCE_CLAIMS, namespace=SPACE)).objects()


async def test_a_pod_gets_a_device_and_the_next_one_when_it_is_gone(tmp_path: Path) -> None:
    async with world(tmp_path) as api, AsyncExitStack() as stack:
        await prepare(api, stack, devices=1)
        await pod(api, "first")
        assert await until(partial(api.node_of, "first")) == "b"
        [claim] = await claims(api)
        assert claim["metadata"]["name"].startswith("first-gpu-")
        assert claim["metadata"]["finalizers"] == ["resource.kubernetes.io/delete-protection"]
        [result] = claim["status"]["allocation"]["devices"]["results"]
        assert (result["request"], result["driver"], result["pool"], result["device"]) == ("gpu", DRIVER, "b", "gpu-0")
        assert [each["name"] for each in claim["status"]["reservedFor"]] == ["first"]
        [status] = (await api.get("first"))["status"]["resourceClaimStatuses"]
        assert status == {"name": "gpu", "resourceClaimName": claim["metadata"]["name"]}

        await pod(api, "second")

        async def refused() -> bool:
            return "cannot allocate all claims" in (await api.scheduled("second")).get("message", "")

        assert await until(refused)
        # The pod goes, its claim gives the device back and goes too, and the next one gets it.
        await api.admin.delete(PODS, "first", namespace=SPACE)
        assert await until(partial(api.node_of, "second")) == "b"

        async def only_second() -> bool:
            return [each["metadata"]["name"][:6] for each in await claims(api)] == ["second"]

        assert await until(only_second)


async def test_pods_share_a_claim_that_is_given_back_when_nobody_uses_it(tmp_path: Path) -> None:
    async with world(tmp_path) as api, AsyncExitStack() as stack:
        await prepare(api, stack, devices=1)
        requests = [{"name": "gpu", "exactly": {"deviceClassName": "gpu"}}]
        shared = {"metadata": {"name": "shared"}, "spec": {"devices": {"requests": requests}}}
        await api.admin.create(RESOURCE_CLAIMS, shared, namespace=SPACE)
        for name in ("x", "y"):
            claim = [{"name": "gpu", "resourceClaimName": "shared"}]
            await api.pod(name, resourceClaims=claim, terminationGracePeriodSeconds=0)
        for name in ("x", "y"):
            assert await until(partial(api.node_of, name)) == "b"
        [claim] = await claims(api)
        assert sorted(each["name"] for each in claim["status"]["reservedFor"]) == ["x", "y"]
        for name in ("x", "y"):
            await api.admin.delete(PODS, name, namespace=SPACE)

        async def given_back() -> bool:
            [claim] = await claims(api)
            return "allocation" not in claim["status"] and not claim["metadata"].get("finalizers")

        assert await until(given_back)


async def test_a_template_that_is_missing_is_told_about(tmp_path: Path) -> None:
    async with world(tmp_path) as api, AsyncExitStack() as stack:
        await prepare(api, stack, devices=1)
        await api.admin.delete(TEMPLATES, "one-gpu", namespace=SPACE)
        await pod(api, "lost")

        async def told() -> bool:
            page = await api.admin.list(EVENTS, namespace=SPACE)
            return any(b"FailedResourceClaimCreation" in item for item in page.items)

        assert await until(told)
        assert "waiting for dynamic resource controller" in (await api.scheduled("lost"))["message"]
