"""Autoscaling: what metrics ask for, how fast it is followed, what the conditions say."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import virtual
from world import World, replica_set, view_of

from cybernetes.base.clock import rfc3339
from cybernetes.controllers.podautoscaler import limits, usage
from cybernetes.controllers.podautoscaler.limits import Memory
from cybernetes.controllers.podautoscaler.loop import PodAutoscalerController
from cybernetes.controllers.podautoscaler.objects import Autoscaler, MeasuredPod, Sample
from cybernetes.controllers.podautoscaler.usage import NoMetrics, Tolerance, Wanted
from cybernetes.wire.http.message import Request, Response

Object = dict[str, Any]
NOW = virtual.EPOCH
MILLI = 1_000_000
HALF = Wanted("cpu", "", utilization=50)


def one(
    name: str, *, request: str = "100m", ready: str = "True", age_s: float = 3600, phase: str = "Running"
) -> MeasuredPod:
    started = rfc3339(NOW - age_s)
    conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": started}]
    return view_of(
        {
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": request}}}]},
            "status": {"phase": phase, "startTime": started, "conditions": conditions},
        },
        MeasuredPod,
    )


def used(*milli: int) -> dict[str, Sample]:
    return {f"p{n}": Sample(each * MILLI, NOW, 30) for n, each in enumerate(milli)}


@pytest.mark.parametrize(
    ("pods", "samples", "replicas"),
    [
        ([one("p0"), one("p1")], used(100, 100), 4),
        ([one("p0"), one("p1")], used(52, 52), 2),
        ([one("p0"), one("p1")], used(10, 10), 1),
        # One is starting: taken to use nothing while growing.
        ([one("p0"), one("p1", ready="False", age_s=10)], used(150, 0), 3),
        # One gives no sample: taken to use nothing while growing, all it asked for while shrinking.
        ([one("p0"), one("p1")], used(150), 3),
        ([one("p0"), one("p1")], used(10), 2),
        ([one("p0"), one("p1", phase="Failed")], used(100), 2),
    ],
)
def test_how_many_replicas_a_metric_asks_for(
    pods: list[MeasuredPod], samples: dict[str, Sample], replicas: int
) -> None:
    assert usage.propose(2, HALF, pods, samples, Tolerance(), NOW).replicas == replicas


def test_what_can_not_be_known_is_said() -> None:
    with pytest.raises(NoMetrics, match="did not receive metrics"):
        usage.propose(1, HALF, [one("p0")], {}, Tolerance(), NOW)
    silent = view_of(
        {"metadata": {"name": "p0"}, "spec": {"containers": [{"name": "app"}]}, "status": one("p0").status}, MeasuredPod
    )
    with pytest.raises(NoMetrics, match="missing request for cpu in container app of Pod p0"):
        usage.propose(1, HALF, [silent], used(10), Tolerance(), NOW)


def autoscaler(low: int = 1, high: int = 100, **behavior: Any) -> Autoscaler:
    spec: Object = {"minReplicas": low, "maxReplicas": high}
    if behavior:
        spec["behavior"] = behavior
    return view_of({"metadata": {"name": "a"}, "spec": spec}, Autoscaler)


def bounded(found: Autoscaler, current: int, proposed: int, memory: Memory | None = None) -> tuple[int, str, str]:
    result = limits.bounded(found, current, proposed, memory or Memory(), NOW)
    return result.replicas, result.able.reason, result.limited.reason


def test_growth_is_limited_by_rate_and_range() -> None:
    assert bounded(autoscaler(), 2, 3) == (3, "ReadyForNewScale", "DesiredWithinRange")
    assert bounded(autoscaler(), 2, 50) == (6, "ReadyForNewScale", "ScaleUpLimit")
    assert bounded(autoscaler(high=5), 2, 50) == (5, "ReadyForNewScale", "TooManyReplicas")
    slow = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
    memory = Memory(changes=[limits.Change(NOW - 30, 1)])
    assert bounded(autoscaler(scaleUp=slow), 3, 9, memory) == (3, "ReadyForNewScale", "ScaleUpLimit")
    assert bounded(autoscaler(scaleUp={"selectPolicy": "Disabled"}), 3, 9)[0] == 3


def test_shrinking_waits_for_five_quiet_minutes() -> None:
    memory = Memory(recommendations=[limits.Recommendation(NOW - 200, 8)])
    assert bounded(autoscaler(), 9, 2, memory) == (8, "ScaleDownStabilized", "DesiredWithinRange")
    old = Memory(recommendations=[limits.Recommendation(NOW - 301, 8)])
    assert bounded(autoscaler(low=3), 9, 2, old) == (3, "ReadyForNewScale", "TooFewReplicas")


class Metrics:
    """A metrics server: every pod uses `milli`."""

    def __init__(self, w: World) -> None:
        self.milli: int | None = 100
        send = w.api.send

        async def answer(request: Request) -> Response:
            if not request.path.startswith("/apis/metrics.k8s.io") or self.milli is None:
                return await send(request)
            items = [
                {
                    "metadata": {"name": each["metadata"]["name"]},
                    "timestamp": rfc3339(w.clock.now()),
                    "window": "30s",
                    "containers": [{"name": "app", "usage": {"cpu": f"{self.milli}m"}}],
                }
                for each in w.pods()
            ]
            return Response(200, [], orjson.dumps({"items": items}))

        w.api.send = answer  # type: ignore[method-assign]


def test_a_workload_follows_its_load() -> None:
    async def main() -> None:
        from cybernetes.controllers.replicaset.loop import replica_sets

        w = World(PodAutoscalerController, replica_sets)
        load = Metrics(w)
        owner = replica_set("web", 2)
        requests = {"requests": {"cpu": "100m"}}
        owner["spec"]["template"]["spec"]["containers"][0].update(name="app", resources=requests)
        w.api.put("replicasets", owner)
        run = w.becomes

        def start_long_ago(found: Object) -> None:
            run(found)
            long_ago = rfc3339(w.clock.now() - 3600)
            found["status"]["startTime"] = long_ago
            found["status"]["conditions"][0]["lastTransitionTime"] = long_ago

        w.becomes = start_long_ago
        target = {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
        }
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [target],
        }
        metadata = {"name": "web", "namespace": "default"}
        w.api.put(
            "horizontalpodautoscalers",
            {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec},
        )

        def conditions() -> dict[str, tuple[str, str]]:
            [live] = w.api.all("horizontalpodautoscalers")
            return {each["type"]: (each["status"], each["reason"]) for each in live["status"]["conditions"]}

        async with w.running():
            await w.settle(40)
            assert len(w.pods()) == 5
            assert conditions()["ScalingLimited"] == ("True", "TooManyReplicas")
            [live] = w.api.all("horizontalpodautoscalers")
            assert live["status"]["currentMetrics"][0]["resource"]["current"] == {
                "averageUtilization": 100,
                "averageValue": "100m",
            }
            assert (
                "SuccessfulRescale",
                "New size: 4; reason: cpu resource utilization (percentage of request) above target",
            ) in w.events()
            load.milli = 5
            await w.settle(120)
            assert len(w.pods()) == 5 and conditions()["AbleToScale"] == ("True", "ScaleDownStabilized")
            await w.settle(300)
            assert len(w.pods()) == 1
            load.milli = None
            await w.settle(30)
            assert conditions()["ScalingActive"] == ("False", "FailedGetResourceMetric")
            why = "the server could not find the requested resource (get pods.metrics.k8s.io)"
            fetching = f"unable to fetch metrics from resource metrics API: {why}"
            failed = f"failed to get cpu utilization: unable to get metrics for resource cpu: {fetching}"
            assert ("FailedGetResourceMetric", failed) in w.events()
            first = f"failed to get cpu resource metric value: {failed}"
            summary = f"invalid metrics (1 invalid out of 1), first error is: {first}"
            assert ("FailedComputeMetricsReplicas", summary) in w.events()
            assert len(w.pods()) == 1

    virtual.run(main())


def test_a_target_that_is_not_there_is_told() -> None:
    async def main() -> None:
        w = World(PodAutoscalerController)
        spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone"}, "maxReplicas": 5}
        metadata = {"name": "web", "namespace": "default"}
        w.api.put(
            "horizontalpodautoscalers",
            {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec},
        )
        async with w.running():
            await w.settle()
            [live] = w.api.all("horizontalpodautoscalers")
            assert live["status"]["conditions"][0]["reason"] == "FailedGetScale"

    virtual.run(main())
