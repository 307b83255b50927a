"""Who was told of a write by one API server of a machine is not answered from before it by another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.server import ApiServer, InProcessTransport
from cybernetes.auth import pki
from cybernetes.auth.user import AUTHENTICATED, User
from cybernetes.base.clock import SystemClock
from cybernetes.base.random import SeededRandom
from cybernetes.client.api import ApiClient
from cybernetes.client.target import Target
from cybernetes.store.api import Batch
from cybernetes.store.memory import MemoryStore
from cybernetes.wire.http.message import Request, Response

RBAC = "rbac.authorization.k8s.io"
BINDINGS = Target(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
ANN = User("ann", groups=(AUTHENTICATED,))
BINDING = {
    "metadata": {"name": "ann-views"},
    "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
    "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "ann"}],
}


class Slow:
    """A store whose watches tell nothing while `open` is clear."""

    def __init__(self, inner: MemoryStore) -> None:
        self._inner = inner
        self.open = asyncio.Event()
        self.open.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def watch(self, prefix: str, after: int) -> AsyncIterator[Batch]:
        async for batch in self._inner.watch(prefix, after):
            await self.open.wait()
            yield batch


async def some_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_role_given_by_one_counts_at_the_other_at_once() -> None:
    async def scenario() -> None:
        clock = SystemClock()
        store = MemoryStore(clock)
        slow = Slow(store)
        config = ServerConfig(
            client_authorities=pki.ca("ca", pki.Terms(clock.now(), SeededRandom(1))).certificate,
            service_account_key=pki.new_key(SeededRandom(1)),
            shared_store=True,
            catches_up=True,
        )
        one, other = (ApiServer(each, config, clock, SeededRandom(1)) for each in (store, slow))
        for each in (one, other):
            await each.start()
            await each.ready()

        async def ask(path: str) -> Response:
            return await other.handle_as(ANN, Request("GET", path, {}, {}))

        assert (await ask("/api/v1/namespaces/default/pods")).status == 403
        slow.open.clear()
        await ApiClient(InProcessTransport(one), user_agent="test", clock=clock).create(BINDINGS, BINDING)
        asking = asyncio.create_task(ask("/api/v1/namespaces/default/pods"))
        await some_turns()
        assert not asking.done(), "it waits for what was acknowledged before it came"
        assert (await ask("/version")).status == 200, "what tells of no object does not wait"
        slow.open.set()
        assert (await asking).status == 200
        for each in (one, other):
            await each.stop()

    asyncio.run(scenario())
