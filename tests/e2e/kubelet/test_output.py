"""What containers see of their environment, rights and volumes: many small ones, run side by side in one cluster."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from tests.e2e.kubelet import output_cases, volume_cases
from tests.e2e.kubelet.cluster import Cluster, cluster
from tests.e2e.kubelet.output_cases import Case, Object, in_pods
from tests.e2e.kubelet.test_pods import phase
from tests.e2e.kubelet.testbed import Testbed

from cybernetes.base.errors import ApiError
from cybernetes.client.target import CONFIG_MAPS, NAMESPACES, NODES, SECRETS
from cybernetes.kubelet.serve.logs import LogOptions, format_line

_DATA = {"data-1": "value-1", "data-2": "value-2", "data-3": "value-3"}


def test_containers_see_what_their_pods_say(testbed: Testbed) -> None:
    async def scenario() -> None:
        async with cluster(testbed) as c:
            c.patience_s = 120
            await _make_objects(c)
            allocatable = await _allocatable(c)
            pods = in_pods([*output_cases.cases(), *volume_cases.cases()])
            problems = await asyncio.gather(*(_problems(c, pod, group, allocatable) for pod, group in pods))
            if any(problems):
                pytest.fail("\n".join(each for of_pod in problems for each in of_pod))

    asyncio.run(scenario())


async def _make_objects(c: Cluster) -> None:
    await c.admin.create(CONFIG_MAPS, {"metadata": {"name": "cm"}, "data": _DATA}, namespace="default")
    await c.admin.create(SECRETS, {"metadata": {"name": "sec"}, "stringData": _DATA}, namespace="default")
    # Of the same name elsewhere: nobody may see it here.
    await c.admin.create(NAMESPACES, {"metadata": {"name": "other"}})
    await c.admin.create(SECRETS, {"metadata": {"name": "sec"}, "stringData": {"data-1": "wrong"}}, namespace="other")
    binary = {"metadata": {"name": "bytes"}, "data": {"text": "words"}, "binaryData": {"dump": "AP9aCgA="}}
    await c.admin.create(CONFIG_MAPS, binary, namespace="default")


async def _allocatable(c: Cluster) -> Object:
    async with asyncio.timeout(60):
        while True:
            with suppress(ApiError):
                node = await c.admin.get(NODES, c.config.node_name)
                return dict(node["status"]["allocatable"])
            await asyncio.sleep(0.02)


async def _problems(c: Cluster, pod: Object, group: list[Case], allocatable: Object) -> list[str]:
    """What is wrong with the output of each container of the pod."""
    name = pod["metadata"]["name"]
    await c.create(pod)
    try:
        await c.until(name, phase("Succeeded"))
    except AssertionError as wrong:
        return [f"{[each.shows for each in group]}: {wrong}"]
    folder = next((c.testbed.root / "pods").glob(f"default_{name}_*"))
    found = [_difference(each, _printed(folder, i), name, allocatable) for i, each in enumerate(group)]
    return [each for each in found if each]


def _difference(case: Case, lines: list[str], pod: str, allocatable: Object) -> str:
    """The first line of the case that is not in its output behind those before it."""
    memory = str(int(allocatable["memory"].removesuffix("Ki")) * 1024)
    at, before = 0, ""
    for each in case.says:
        line = each.replace("<pod>", pod).replace("<cpu>", allocatable["cpu"]).replace("<memory>", memory)
        if line not in lines[at:]:
            return f"{case.shows}: {line!r} is not behind {before!r} in {lines[max(0, at - 3) : at + 12]}"
        at, before = lines.index(line, at) + 1, line
    return ""


def _printed(folder: Path, number: int) -> list[str]:
    path = folder / f"c{number}" / "0.log"
    lines = [format_line(each, LogOptions()) for each in path.read_bytes().splitlines()]
    return b"".join(each for each in lines if each).decode().splitlines()
