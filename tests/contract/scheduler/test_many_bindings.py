"""Many bindings in one request: each stands for itself, and may be refused for itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from test_scheduler_with_api import SPACE, running, until, world

from apiserver_fixture import serving_apiserver
from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.target import NODES
from cybernetes.scheduler.loop import Scheduler
from cybernetes.wire.http.message import Request, Response, Transport

PATH = "/api/v1/bindings"


def listed(*bindings: dict[str, Any]) -> bytes:
    return orjson.dumps({"kind": "BindingList", "apiVersion": "v1", "items": bindings})


def binding(name: str, node: str = "n1", uid: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": SPACE, "uid": uid}, "target": {"name": node}}


async def post(client: ApiClient, body: bytes) -> list[dict[str, Any] | None]:
    answer = await client.raw("POST", PATH, body=body, headers={"content-type": "application/json"})
    assert isinstance(answer.body, bytes)
    items: list[dict[str, Any] | None] = orjson.loads(answer.body)["items"]
    return items


async def test_each_binding_has_an_answer_and_a_revision_of_its_own(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        zone = {"topology.kubernetes.io/zone": "z1"}
        await api.admin.create(NODES, {"metadata": {"name": "n1", "labels": zone}})
        for name in ("a", "b", "c"):
            await api.pod(name)
        assert await post(api.admin, listed(binding("c"))) == [None]
        answers = await post(
            api.admin, listed(binding("a"), binding("gone"), binding("b"), binding("c", "n2"), binding("a"))
        )
        codes = [each and (each["code"], each["reason"]) for each in answers]
        assert codes == [None, (404, "NotFound"), None, (409, "Conflict"), (409, "Conflict")]
        pods = [await api.get(name) for name in ("a", "b")]
        assert [each["spec"]["nodeName"] for each in pods] == ["n1", "n1"]
        assert len({each["metadata"]["resourceVersion"] for each in pods}) == 2
        # As with one binding, the pod learns its node's zone, and that it is scheduled.
        assert pods[0]["metadata"]["labels"]["topology.kubernetes.io/zone"] == "z1"
        assert (await api.scheduled("a"))["status"] == "True"


async def test_another_pod_of_the_name_is_not_bound(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        await api.pod("a")
        (answer,) = await post(api.admin, listed(binding("a", uid="0000")))
        assert answer is not None
        assert "UID in precondition: 0000" in answer["message"]
        assert not await api.node_of("a")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "the body is no BindingList"),
        (orjson.dumps({"kind": "PodList", "apiVersion": "v1", "items": []}), "not a v1 BindingList"),
        (listed(*[binding("a")] * 257), "one request may have 256"),
    ],
)
async def test_what_is_no_list_of_bindings_is_refused(tmp_path: Path, body: bytes, words: str) -> None:
    async with serving_apiserver(tmp_path) as api:
        client = ApiClient(api.transport(), user_agent="test", clock=SystemClock())
        with pytest.raises(ApiError, match=words):
            await post(client, body)
        await client.close()


async def test_it_takes_the_right_to_bind_in_all_namespaces(tmp_path: Path) -> None:
    async with serving_apiserver(tmp_path) as api:
        client = ApiClient(api.transport_as("somebody"), user_agent="test", clock=SystemClock())
        with pytest.raises(ApiError) as refused:
            await post(client, listed(binding("a")))
        assert refused.value.code == 403
        await client.close()
        scheduler = ApiClient(api.transport_as("system:kube-scheduler"), user_agent="test", clock=SystemClock())
        await api.server.ready()
        (answer,) = await post(scheduler, listed(binding("a")))
        assert answer is not None
        assert answer["code"] == 404
        await scheduler.close()


class Upstream:
    """A transport to a server that has no list of bindings."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.paths: list[str] = []

    async def send(self, request: Request) -> Response:
        self.paths.append(request.path)
        if request.path == PATH:
            raise ApiError(404, "NotFound", "the server could not find the requested resource", {})
        return await self._transport.send(request)

    async def close(self) -> None:
        await self._transport.close()


async def test_a_server_that_knows_only_single_bindings_gets_those(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        names = [f"p{n}" for n in range(8)]
        for name in names:
            await api.pod(name)
        await api.node("n1", cpu="16")
        upstream = Upstream(api.transport_as("system:kube-scheduler"))
        client = ApiClient(upstream, user_agent="kube-scheduler", clock=api.clock)
        async with running(Scheduler(client, clock=api.clock, random=SeededRandom(1))):
            for name in names:
                assert await until(partial(api.node_of, name)) == "n1"
        await client.close()
        assert upstream.paths.count(PATH) == 1
        assert sum(path.endswith("/binding") for path in upstream.paths) == len(names)
