"""What nodes and pods use: rates from two samples, kubelets asked once however many want to know."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from cybernetes.apiserver.resourcemetrics import samples
from cybernetes.apiserver.resourcemetrics.serve import ResourceMetrics
from cybernetes.base.errors import EdgeError
from cybernetes.wire.http.message import Request, Response

BASE = "/apis/metrics.k8s.io/v1beta1"


def summary(cpu_ns: int, *, uid: str = "u", names: tuple[str, ...] = ("app",)) -> dict[str, Any]:
    def numbers(cpu: int) -> dict[str, Any]:
        return {"cpu": {"usageCoreNanoSeconds": cpu}, "memory": {"workingSetBytes": 5 * 2**20}}

    pod = {
        "podRef": {"namespace": "shop", "name": "web", "uid": uid},
        "containers": [{"name": each, **numbers(cpu_ns)} for each in names],
    }
    return {"node": numbers(2 * cpu_ns), "pods": [pod]}


@pytest.mark.parametrize(
    ("before", "after", "containers"),
    [
        (summary(10**9), summary(3 * 10**9), {"app": samples.Usage(10**9, 5 * 2**20)}),
        # Started again: it counts from zero.
        (summary(3 * 10**9), summary(10**9), {"app": samples.Usage(5 * 10**8, 5 * 2**20)}),
        # A container that was not there before has no rate yet.
        (summary(10**9), summary(3 * 10**9, names=("app", "new")), {"app": samples.Usage(10**9, 5 * 2**20)}),
    ],
)
def test_usage_is_the_difference_of_two_samples(before: Any, after: Any, containers: dict[str, Any]) -> None:
    found = samples.usage("n", samples.read(orjson.dumps(before), 100.0), samples.read(orjson.dumps(after), 102.0))
    assert found is not None
    [pod] = found.pods
    assert (pod.namespace, pod.name, pod.containers) == ("shop", "web", containers)


def test_another_pod_of_the_same_name_has_no_rate_yet() -> None:
    before, after = orjson.dumps(summary(1)), orjson.dumps(summary(2, uid="other"))
    found = samples.usage("n", samples.read(before, 0.0), samples.read(after, 2.0))
    assert found is not None and found.pods == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"node": {}, "pods": [{}]}', b'{"node": {"cpu": 5}}'])
def test_what_a_kubelet_answers_is_held_to_its_shape(body: bytes) -> None:
    with pytest.raises(ValueError, match="no statistics"):
        samples.read(body, 0.0)


class Cluster:
    """Two nodes, of which the second does not answer; a pod on the first."""

    def __init__(self) -> None:
        self.now, self.cpu_ns, self.asked = 1000.0, 0, 0
        nodes = [self._node("alive", "10.0.0.1"), self._node("dead", "10.0.0.2")]
        pod = {
            "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
            "spec": {"nodeName": "alive"},
        }
        self.objects = {"nodes": nodes, "pods": [pod]}
        self.core: Any = SimpleNamespace(
            clock=SimpleNamespace(now=lambda: self.now, sleep=self._sleep),
            outbound=SimpleNamespace(
                to_kubelet=lambda node, url: SimpleNamespace(send=lambda request: self._send(url, request))
            ),
            lister=SimpleNamespace(
                list=lambda group, plural, namespace=None: self.objects[plural],
                get=lambda group, plural, namespace, name: self._find(plural, name),
                exists=lambda group, plural, namespace, name: self._find(plural, name) is not None,
            ),
        )

    @staticmethod
    def _node(name: str, address: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "status": {"addresses": [{"type": "InternalIP", "address": address}]}}

    def _find(self, plural: str, name: str) -> Any:
        return next((each for each in self.objects[plural] if each["metadata"]["name"] == name), None)

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.cpu_ns += int(seconds * 10**9 / 4)

    async def _send(self, url: str, request: Request) -> Response:
        if "10.0.0.2" in url:
            raise EdgeError("connect to", url, "refused")
        self.asked += 1
        return Response(200, [], orjson.dumps(summary(self.cpu_ns)))


async def _get(metrics: ResourceMetrics, path: str, **query: str) -> tuple[int, Any]:
    answer = await metrics.answer(Request("GET", BASE + path, {key: [value] for key, value in query.items()}, {}))
    assert isinstance(answer.body, bytes)
    return answer.status, orjson.loads(answer.body)


def test_who_wants_to_know_at_the_same_time_shares_an_answer() -> None:
    async def main() -> None:
        cluster = Cluster()
        metrics = ResourceMetrics(cluster.core)
        first, second = await asyncio.gather(_get(metrics, "/pods"), _get(metrics, "/namespaces/shop/pods/web"))
        assert cluster.asked == 2
        [item] = first[1]["items"]
        assert item == second[1]
        assert item["containers"] == [{"name": "app", "usage": {"cpu": "250000000n", "memory": "5120Ki"}}]
        assert (item["window"], item["metadata"]["labels"]) == ("1.000s", {"app": "web"})
        await _get(metrics, "/pods")
        assert cluster.asked == 2
        cluster.now += 30
        _, later = await _get(metrics, "/pods")
        assert (cluster.asked, later["items"][0]["window"]) == (3, "30.000s")

    asyncio.run(main())


def test_a_node_that_does_not_answer_is_missing() -> None:
    async def main() -> None:
        metrics = ResourceMetrics(Cluster().core)
        _, listed = await _get(metrics, "/nodes")
        assert [each["metadata"]["name"] for each in listed["items"]] == ["alive"]
        assert (await _get(metrics, "/nodes/alive"))[1]["usage"] == {"cpu": "500000000n", "memory": "5120Ki"}
        status, told = await _get(metrics, "/nodes/dead")
        assert (status, told["message"]) == (404, 'nodemetrics.metrics.k8s.io "dead" not found')

    asyncio.run(main())


def test_selectors_and_paths() -> None:
    async def main() -> None:
        metrics = ResourceMetrics(Cluster().core)
        assert len((await _get(metrics, "/pods", labelSelector="app=web"))[1]["items"]) == 1
        assert (await _get(metrics, "/pods", labelSelector="app=other"))[1]["items"] == []
        assert (await _get(metrics, "/pods", labelSelector="a b"))[0] == 400
        assert (await _get(metrics, "/pods", watch="1"))[0] == 405
        assert (await _get(metrics, "/nothing"))[0] == 404
        assert [each["name"] for each in (await _get(metrics, ""))[1]["resources"]] == ["nodes", "pods"]

    asyncio.run(main())
