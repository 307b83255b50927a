"""Asks kubelets for their statistics, when somebody wants to know and what is known is old."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from cybernetes.apiserver.core import Core, Object
from cybernetes.apiserver.onward import kubelet_address
from cybernetes.apiserver.resourcemetrics import samples
from cybernetes.apiserver.resourcemetrics.samples import NodeUsage, Sample
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.answer import whole_body
from cybernetes.wire.http.message import Request

# Answers may be this old; autoscalers ask four times a minute.
FRESH_S = 10.0
# An older sample says nothing of now: two new ones are taken, this far apart.
STALE_S = 90.0
PAIR_S = 1.0
ANSWER_S = 5.0
# Kubelets that are asked at the same time.
AT_ONCE = 64

log = Log("apiserver.metrics")


class Collector:
    def __init__(self, core: Core) -> None:
        self._core = core
        # The newest sample of each node; what it used until then.
        self._samples: dict[str, Sample] = {}
        self._usage: dict[str, NodeUsage] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def usage(self, nodes: Iterable[Object]) -> dict[str, NodeUsage]:
        """By node; those that did not answer are missing."""
        named = {each["metadata"]["name"]: each for each in nodes}
        await asyncio.gather(*(self._refresh(name, node) for name, node in named.items()))
        self._forget()
        return {name: self._usage[name] for name in named if name in self._usage}

    async def _refresh(self, name: str, node: Object) -> None:
        """Several that want to know at the same time share one question."""
        task = self._asking.get(name)
        if task is None:
            task = self._asking[name] = asyncio.create_task(self._ask(name, node), name=f"metrics.{name}")
            task.add_done_callback(lambda _: self._asking.pop(name, None))
        await asyncio.shield(task)

    async def _ask(self, name: str, node: Object) -> None:
        last = self._samples.get(name)
        now = self._core.clock.now()
        if last is not None and now - last.at < FRESH_S and name in self._usage:
            return
        try:
            if last is None or now - last.at > STALE_S:
                last = await self._sample(node)
                await self._core.clock.sleep(PAIR_S)
            newest = await self._sample(node)
        except (ApiError, EdgeError, TimeoutError, ValueError) as failed:
            log.info("kubelet.no_statistics", node=name, why=str(failed) or type(failed).__name__)
            self._usage.pop(name, None)
            return
        found = samples.usage(name, last, newest)
        if found is not None:
            self._usage[name], self._samples[name] = found, newest

    async def _sample(self, node: Object) -> Sample:
        """Raises ApiError, EdgeError, TimeoutError, ValueError where there is none."""
        address, port = kubelet_address(node)
        async with self._gate, asyncio.timeout(ANSWER_S):
            answer = await self._core.outbound.to_kubelet(node["metadata"]["name"], f"https://{address}:{port}").send(
                Request("GET", "/stats/summary", {}, {})
            )
            body = await whole_body(answer)
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        return samples.read(body, self._core.clock.now())

    def _forget(self) -> None:
        """Nodes that are gone."""
        for name in [each for each in self._samples if not self._core.lister.exists("", "nodes", "", each)]:
            del self._samples[name]
            self._usage.pop(name, None)
