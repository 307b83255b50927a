"""Removes all pods of a node through its runtime, so that CNI plugins take back what they gave."""

from __future__ import annotations

import asyncio

from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.run.layout import NodeLayout

# More at once only queue up in containerd.
_AT_ONCE = 8
_TIMEOUT_S = 60.0
log = Log("removal")


def remove_pods(places: NodeLayout) -> None:
    """Stop and remove every sandbox; what the runtime can't remove is left to `removal`."""
    if places.containerd_socket.exists():
        asyncio.run(_remove_all(str(places.containerd_socket)))


async def _remove_all(socket: str) -> None:
    # gRPC is only imported where pods have to be removed: it costs a fifth of a second.
    from cybernetes.kubelet.runtime.cri import CriRuntime

    runtime = CriRuntime(socket)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def remove(sandbox: str) -> None:
        async with gate:
            await runtime.stop_sandbox(sandbox)
            await runtime.remove_sandbox(sandbox)

    try:
        async with asyncio.timeout(_TIMEOUT_S):
            sandboxes = await runtime.list_sandboxes()
            results = await asyncio.gather(*(remove(each.id) for each in sandboxes), return_exceptions=True)
        for each in results:
            if isinstance(each, BaseException):
                log.warning("sandbox.not.removed", error=each)
    except (EdgeError, TimeoutError) as failed:
        log.warning("pods.not.removed", error=failed)
    finally:
        await runtime.close()
