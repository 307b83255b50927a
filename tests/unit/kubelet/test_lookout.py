"""What is looked at alone after it was made is seen as a look at the whole pod would."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.kubelet.making import pod

from cybernetes.base.clock import SystemClock
from cybernetes.kubelet.cri_config import LABEL_UID
from cybernetes.kubelet.fake_host import FakeHost
from cybernetes.kubelet.lookout import Lookout
from cybernetes.kubelet.runtime.api import State
from cybernetes.kubelet.runtime.fake import FakeRuntime
from cybernetes.kubelet.runtime.scripted import Script
from cybernetes.wire.grpc import cri_runtime_pb2 as cri


async def made(runtime: FakeRuntime, given: dict[str, Any], name: str) -> tuple[str, str]:
    """A new sandbox, and a container that was started in it."""
    meta = given["metadata"]
    box = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name=meta["name"], namespace=meta["namespace"], uid=meta["uid"]),
        labels={LABEL_UID: meta["uid"]},
    )
    sandbox = await runtime.run_sandbox(box, "")
    config = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=name), image=cri.ImageSpec(image="i"), labels={LABEL_UID: meta["uid"]}
    )
    container = await runtime.create_container(sandbox, config, box)
    await runtime.start_container(container)
    return sandbox, container


def test_what_was_made_is_seen_alone_and_nothing_is_asked_again() -> None:
    async def scenario() -> None:
        runtime, given = FakeRuntime(SystemClock(), ["i"]), pod()
        runtime.scripts["i"] = Script()
        ours, fresh = (Lookout(runtime, FakeHost(), ("192.0.2.1",)) for _ in range(2))
        sandbox, container = await made(runtime, given, "a")
        await ours.see_sandbox(given, sandbox)
        seen = await ours.see_container(given, container)
        assert seen.containers[0].state is State.RUNNING
        assert seen == await fresh.look(given)
        asked = len(runtime.calls)
        assert await ours.look(given) is seen
        assert [name for name, _ in runtime.calls[asked:]] == ["list_sandboxes", "list_containers"]

    asyncio.run(scenario())


def test_what_is_gone_again_is_looked_for_among_all() -> None:
    async def scenario() -> None:
        runtime, given = FakeRuntime(SystemClock(), ["i"]), pod()
        ours = Lookout(runtime, FakeHost(), ("192.0.2.1",))
        sandbox, container = await made(runtime, given, "a")
        await ours.see_sandbox(given, sandbox)
        await runtime.remove_container(container)
        assert (await ours.see_container(given, container)).containers == ()

    asyncio.run(scenario())
