"""Who wins when others write a pod's status, too."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from cybernetes.base.clock import SystemClock
from cybernetes.base.errors import ApiError
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.kubelet.status_writer import StatusWriter

Object = dict[str, Any]


def ready(status: str) -> Object:
    return {"phase": "Running", "conditions": [{"type": "Ready", "status": status}]}


def pod(status: Object) -> Object:
    return {"metadata": {"name": "web", "namespace": "shop", "uid": "u1"}, "status": status}


class Server:
    """Takes patches of the one pod. When `between` is set, its status replaces the pod's before the answer is heard."""

    def __init__(self) -> None:
        self.status: Object = {}
        self.patches = 0
        self.between: Object | None = None
        self.writer: StatusWriter | None = None
        # Answers that are refusals before others; and whose name it is meanwhile.
        self.conflicts = 0
        self.uid = "u1"

    async def get(self, *_: object, **__: object) -> Object:
        return {"metadata": {"name": "web", "namespace": "shop", "uid": self.uid}}

    async def patch(self, *_: object, **__: object) -> Object:
        assert self.writer is not None
        self.patches += 1
        if self.conflicts:
            self.conflicts -= 1
            raise ApiError(409, "Conflict", "the object has been modified")
        answer = pod(ready("True"))
        self.status = answer["status"]
        if self.between is not None:
            # The watch is faster than the answer: it shows our write, and then somebody else's.
            self.writer.see(answer)
            self.status, self.between = self.between, None
            self.writer.see(pod(self.status))
        await asyncio.sleep(0)
        return answer


def written(server: Server) -> None:
    async def main() -> None:
        server.writer = StatusWriter(cast(ApiClient, server), SystemClock(), SeededRandom(1))
        server.writer.see(pod({}))
        server.writer.set(pod({}), ready("True"))
        running = asyncio.ensure_future(server.writer.run())
        async with asyncio.timeout(60):
            await server.writer.settled("u1")
        running.cancel()

    asyncio.run(main())


def test_a_conflict_with_other_writers_is_tried_again() -> None:
    server = Server()
    server.conflicts = 1
    written(server)
    assert (server.patches, server.status) == (2, ready("True"))


def test_nothing_is_written_to_another_pod_of_the_same_name() -> None:
    server = Server()
    server.conflicts, server.uid = 1, "u2"
    written(server)
    assert (server.patches, server.status) == (1, {})


def test_a_status_is_written_once() -> None:
    server = Server()
    written(server)
    assert server.status == ready("True")
    assert server.patches == 1


def test_a_change_by_somebody_else_that_the_watch_showed_before_the_answer_is_undone() -> None:
    server = Server()
    server.between = ready("False")
    written(server)
    assert server.status == ready("True")
    assert server.patches == 2
