"""Autoscaling by numbers of pods, of objects and of the world outside, which adapters serve."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from world import World, replica_set

from cybernetes.base.clock import rfc3339
from cybernetes.base.errors import not_found
from cybernetes.controllers.podautoscaler.loop import PodAutoscalerController
from cybernetes.controllers.replicaset.loop import replica_sets
from cybernetes.wire.http.message import Request, Response

Object = dict[str, Any]
NAMED = {"name": "hits", "selector": {"matchLabels": {"verb": "get"}}}
INGRESS = {"kind": "ReplicaSet", "name": "web", "apiVersion": "apps/v1"}
CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default"
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default"


class Adapter:
    """Answers with `values` at one path, whose query it keeps; two pods by their names, else one number each."""

    def __init__(self, w: World, path: str, values: list[str]) -> None:
        self.query: Object = {}
        send = w.api.send

        async def answer(request: Request) -> Response:
            group, version = path.split("/")[2:4]
            if request.path == f"/apis/{group}":
                return Response(200, [], orjson.dumps({"name": group, "preferredVersion": {"version": version}}))
            if ".metrics.k8s.io" not in request.path:
                return await send(request)
            if request.path != path:
                return Response(404, [], orjson.dumps(not_found("", "metrics", request.path).status()))
            self.query = {name: each[0] for name, each in request.query.items()}
            names = [each["metadata"]["name"] for each in w.pods()]
            rows = (
                zip(names, values * len(names), strict=False)
                if "*" in path
                else zip(["-"] * len(values), values, strict=True)
            )
            items = [
                {"describedObject": {"name": name}, "timestamp": rfc3339(w.clock.now()), "value": value}
                for name, value in rows
            ]
            return Response(200, [], orjson.dumps({"items": items}))

        w.api.send = answer  # type: ignore[method-assign]


def _pods(average: str) -> Object:
    return {"type": "Pods", "pods": {"metric": NAMED, "target": {"type": "AverageValue", "averageValue": average}}}


def _object(**target: str) -> Object:
    kind = "Value" if "value" in target else "AverageValue"
    return {
        "type": "Object",
        "object": {"metric": NAMED, "describedObject": INGRESS, "target": {"type": kind, **target}},
    }


def _external(**target: str) -> Object:
    kind = "Value" if "value" in target else "AverageValue"
    return {"type": "External", "external": {"metric": NAMED, "target": {"type": kind, **target}}}


WRONG = "the answer has not the shape of this API"
UNREADABLE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
OBJECT_PATH = f"{CUSTOM}/replicasets.apps/web/hits"


@pytest.mark.parametrize(
    ("metric", "path", "values", "replicas", "current"),
    [
        (_pods("100m"), f"{CUSTOM}/pods/*/hits", ["200m"], 4, {"averageValue": "200m"}),
        (_pods("190m"), f"{CUSTOM}/pods/*/hits", ["200m"], 2, {"averageValue": "200m"}),
        (_object(value="10"), OBJECT_PATH, ["20"], 4, {"value": "20"}),
        (_object(value="19"), OBJECT_PATH, ["20"], 2, {"value": "20"}),
        (_object(averageValue="5"), OBJECT_PATH, ["15"], 3, {"averageValue": "7500m"}),
        (_external(value="10"), f"{EXTERNAL}/hits", ["7", "8"], 3, {"value": "15"}),
        (_external(averageValue="4"), f"{EXTERNAL}/hits", ["7", "10"], 5, {"averageValue": "8500m"}),
    ],
    ids=[
        "pods",
        "pods near enough",
        "object",
        "object near enough",
        "object's average",
        "external",
        "external's average",
    ],
)
def test_how_many_replicas_a_number_asks_for(
    metric: Object, path: str, values: list[str], replicas: int, current: Object
) -> None:
    status, pods, query = _scaled(metric, path, values)
    assert pods == replicas
    told = status["currentMetrics"][0]
    kind = metric["type"].lower()
    assert told["type"] == metric["type"] and told[kind]["metric"] == NAMED and told[kind]["current"] == current
    assert query["labelSelector" if kind == "external" else "metricLabelSelector"] == "verb in (get)"


@pytest.mark.parametrize(
    ("path", "values", "why"),
    [
        ("/apis/nothing.metrics.k8s.io/v1/x", [], "no custom metrics API (custom.metrics.k8s.io) registered"),
        (f"{CUSTOM}/pods/*/hits", [], "no metrics returned from custom metrics API"),
        (
            f"{CUSTOM}/pods/*/hits",
            ["many"],
            f"read {CUSTOM}/pods/*/hits: {WRONG}, {UNREADABLE} - at `$.items[0].value`",
        ),
    ],
)
def test_what_is_not_told_is_a_condition(path: str, values: list[str], why: str) -> None:
    status, pods, _ = _scaled(_pods("100m"), path, values)
    active = next(each for each in status["conditions"] if each["type"] == "ScalingActive")
    assert (active["status"], active["reason"], pods) == ("False", "FailedGetPodsMetric", 2)
    message = "the HPA was unable to compute the replica count: unable to get metric hits: "
    assert active["message"] == message + why


def _scaled(metric: Object, path: str, values: list[str]) -> tuple[Object, int, Object]:
    """The status after the first look at two pods, the number of pods then, and the adapter's query."""
    import virtual

    seen: list[tuple[Object, int, Object]] = []

    async def main() -> None:
        w = World(PodAutoscalerController, replica_sets)
        adapter = Adapter(w, path, values)
        w.api.put("replicasets", replica_set("web", 2))
        async with w.running():
            await w.settle()
            spec = {"scaleTargetRef": INGRESS, "minReplicas": 1, "maxReplicas": 9, "metrics": [metric]}
            metadata = {"name": "web", "namespace": "default"}
            whole = {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": metadata,
                "spec": spec,
            }
            w.api.put("horizontalpodautoscalers", whole)
            await asyncio.sleep(5)
            [live] = w.api.all("horizontalpodautoscalers")
            seen.append((live["status"], len(w.pods()), adapter.query))

    virtual.run(main())
    return seen[0]
