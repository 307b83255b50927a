"""Resources of several containers changed at once, there and back, as status, cgroups and conditions show it.

source  the project's list of conformance behaviours, In-place Pod Resize
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.e2e.kubelet.cluster import SHELL, Cluster, cluster, pod
from tests.e2e.kubelet.output_cases import Object
from tests.e2e.kubelet.test_pods import UNTIL_TERM, condition, ready
from tests.e2e.kubelet.testbed import Testbed

from cybernetes.client.api import PatchType
from cybernetes.client.target import PODS
from cybernetes.kubelet import resources

# cpu request, cpu limit, memory request, memory limit; "" where there is none.
Row = tuple[str, str, str, str]


def _same(cpu: str, memory: str) -> Row:
    return cpu, cpu, memory, memory


NONE: Row = ("", "", "", "")
SMALL, LARGE = _same("20m", "40Mi"), _same("30m", "45Mi")
# name -> rows of the containers before, and after
RESIZES: dict[str, tuple[list[Row], list[Row]]] = {
    "guaranteed-net-increase": ([SMALL, SMALL, LARGE], [LARGE, LARGE, SMALL]),
    "guaranteed-net-decrease": ([SMALL, LARGE, LARGE], [LARGE, SMALL, SMALL]),
    "guaranteed-various": (
        [SMALL, _same("30m", "40Mi"), SMALL],
        [_same("30m", "40Mi"), _same("20m", "45Mi"), LARGE],
    ),
    "burstable-equivalents": ([("2m", "10m", "", ""), ("5m", "10m", "", "")], [("1m", "5m", "", ""), ("0.005", "0.01", "", "")]),
    "burstable-six": (
        [("20m", "30m", "40Mi", "50Mi"), ("20m", "", "40Mi", ""), NONE, ("20m", "30m", "", ""), ("", "", "40Mi", "50Mi"), SMALL],
        [("30m", "40m", "45Mi", "55Mi"), ("30m", "40m", "45Mi", "55Mi"), ("20m", "30m", "", ""), ("30m", "40m", "", ""),
         ("", "", "45Mi", "55Mi"), ("15m", "25m", "35Mi", "60Mi")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("replace", [False, True], ids=["patch", "replace"])
def test_resources_go_there_and_back(testbed: Testbed, replace: bool) -> None:
    names = ["guaranteed-various"] if replace else list(RESIZES)

    async def scenario() -> None:
        async with cluster(testbed) as c:
            c.patience_s = 120
            await asyncio.gather(*(_there_and_back(c, name, replace) for name in names))

    asyncio.run(scenario())


async def _there_and_back(c: Cluster, name: str, replace: bool) -> None:
    before, after = RESIZES[name]
    wanted = pod(name, terminationGracePeriodSeconds=1)
    wanted["spec"]["containers"] = [
        {"name": f"c{i}", "image": SHELL, "command": ["sh", "-c", UNTIL_TERM], "resources": _resources(row)}
        for i, row in enumerate(before)
    ]
    await c.create(wanted)
    first = await c.until(name, ready)
    for rows in (after,) if _adds(before, after) else (after, before):
        await _resize(c, name, rows, replace)
        shown = await c.until(name, lambda obj, r=rows: _is_resized(obj, r))
        for i, row in enumerate(rows):
            _check_cgroups(c.testbed, shown, i, row)
        ids = [each["containerID"] for each in shown["status"]["containerStatuses"]]
        assert ids == [each["containerID"] for each in first["status"]["containerStatuses"]]
    reasons = [reason for _, reason, _ in await c.events(name) if "Resize" in reason]
    assert sorted(set(reasons)) == ["ResizeCompleted", "ResizeStarted"]
    await c.delete(name)
    await c.gone(name)


def _adds(before: list[Row], after: list[Row]) -> bool:
    """Whether requests or limits come, which no resize takes away again."""
    return any(
        new and not old for was, now in zip(before, after, strict=True) for old, new in zip(was, now, strict=True)
    )


def _resources(row: Row) -> Object:
    named = {"requests": {"cpu": row[0], "memory": row[2]}, "limits": {"cpu": row[1], "memory": row[3]}}
    return {
        which: {name: text for name, text in texts.items() if text}
        for which, texts in named.items()
        if any(texts.values())
    }


async def _resize(c: Cluster, name: str, rows: list[Row], replace: bool) -> None:
    if not replace:
        containers = [{"name": f"c{i}", "resources": _resources(row)} for i, row in enumerate(rows)]
        change = {"spec": {"containers": containers}}
        await c.admin.patch(PODS, name, change, PatchType.STRATEGIC, namespace="default", subresource="resize")
        return
    live = await c.admin.get(PODS, name, namespace="default", subresource="resize")
    for i, row in enumerate(rows):
        live["spec"]["containers"][i]["resources"] = _resources(row)
    await c.admin.update(PODS, live, subresource="resize")


def _amounts(holder: Object) -> tuple[Object, Object]:
    """Requests, which limits stand in for, and limits."""
    limits = resources.limits({"resources": holder})
    return {**limits, **resources.requests({"resources": holder})}, limits


def _is_resized(obj: Object, rows: list[Row]) -> bool:
    status = obj["status"]
    if condition(obj, "PodResizePending") or condition(obj, "PodResizeInProgress"):
        return False
    for row, shown in zip(rows, status["containerStatuses"], strict=True):
        requests, limits = _amounts(_resources(row))
        # What was asked for before stays asked for where a limit goes: requests are compared as the spec has them.
        actual, bounds = _amounts(shown["resources"])
        if bounds != limits or actual != requests or shown["restartCount"]:
            return False
        if _amounts({"requests": shown.get("allocatedResources", {})})[0] != requests:
            return False
    return bool(status["observedGeneration"] == obj["metadata"]["generation"])


def _check_cgroups(testbed: Testbed, obj: Object, number: int, row: Row) -> None:
    requests, limits = _amounts(_resources(row))
    container = obj["status"]["containerStatuses"][number]["containerID"].removeprefix("containerd://")

    def read(controller: str, name: str) -> int:
        group = Path("/sys/fs/cgroup") / controller / resources.pod_cgroup(testbed.cgroup_root, obj).lstrip("/")
        return int((group / container / name).read_text())

    memory = read("memory", "memory.limit_in_bytes")
    assert memory == limits["memory"] if "memory" in limits else memory > 1 << 60
    assert read("cpu", "cpu.cfs_quota_us") == (resources.quota_us(limits["cpu"]) if "cpu" in limits else -1)
    assert read("cpu", "cpu.shares") == resources.shares(requests.get("cpu", 0))
