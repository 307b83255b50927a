"""A server that stops says so first, ends watches in order, and answers what it has begun."""

from __future__ import annotations

import asyncio
from pathlib import Path

from calls import Client, config_map

from apiserver_fixture import serving_apiserver


def test_readiness_fails_first_and_watches_end_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving_apiserver(tmp_path) as api:
            client = Client(api.transport())
            await api.server.ready()
            path = await client.namespace("shop") + "/configmaps"
            await client.ok("POST", path, config_map("m"))
            async with client.watch(path) as next_event:
                assert await next_event() is not None
                api.server.begin_shutdown()
                assert await next_event() is None, "the stream ends, it is not cut"
            ready = await client.send("GET", "/readyz", verbose="")
            assert ready.status == 500 and isinstance(ready.body, bytes)
            assert b"[-]shutdown failed: reason withheld" in ready.body
            assert (await client.send("GET", "/livez")).status == 200
            async with client.watch(path) as next_event:
                assert await next_event() is not None
                assert await next_event() is None, "a late one has what is there, and ends"
            await client.ok("DELETE", f"{path}/m")
            await client.transport.close()

    asyncio.run(main())
