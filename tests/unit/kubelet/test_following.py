"""Which objects a pod follows, and that what a watch tells is not undone by an older read."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from tests.unit.kubelet.making import pod

from cybernetes.base.clock import SystemClock
from cybernetes.client.api import ApiClient
from cybernetes.kubelet.follow import keys_of
from cybernetes.kubelet.sources import ObjectReader

Object = dict[str, Any]
KEY = ("ConfigMap", "shop", "cm")


def test_a_pod_follows_what_its_volumes_are_made_from_and_environments_only_when_asked() -> None:
    sources = [{"configMap": {"name": "cm"}}, {"secret": {"name": "s"}}, {"downwardAPI": {}}]
    made = pod(volumes=[{"name": "v", "projected": {"sources": sources}}, {"name": "e", "emptyDir": {}}])
    made["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "env"}}]
    volumes = {KEY, ("Secret", "shop", "s")}
    assert keys_of(made, environment=False) == volumes
    assert keys_of(made, environment=True) == volumes | {("Secret", "shop", "env")}


class SlowServer:
    """Answers with an old object, once it may."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def get(self, *_: object, **__: object) -> Object:
        self.asked.set()
        await self.may_answer.wait()
        return {"metadata": {"resourceVersion": "1"}, "data": {"k": "old"}}


def test_a_read_that_was_slower_than_a_watch_is_not_believed() -> None:
    async def scenario() -> None:
        server, clock = SlowServer(), SystemClock()
        reader = ObjectReader(cast(ApiClient, server), clock)
        reading = asyncio.ensure_future(reader.load("shop", [("ConfigMap", "cm")], clock.monotonic()))
        await server.asked.wait()
        newer = {"metadata": {"resourceVersion": "2"}, "data": {"k": "new"}, "immutable": True}
        reader.keep(KEY, newer)
        server.may_answer.set()
        assert (await reading).get(*KEY) == newer
        assert reader.known(KEY) == newer
        assert reader.is_immutable(KEY)

    asyncio.run(scenario())
