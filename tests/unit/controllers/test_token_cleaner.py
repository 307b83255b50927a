"""Bootstrap tokens go when they have expired."""

from __future__ import annotations

import base64
from typing import Any

import virtual
from world import World

from cybernetes.base.clock import rfc3339
from cybernetes.controllers.tokencleaner.loop import TYPE, TokenCleaner


def _token(name: str, expiration: str) -> dict[str, Any]:
    data = {"token-id": name, "expiration": expiration}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items() if value}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{name}", "namespace": "kube-system"},
        "type": TYPE,
        "data": encoded,
    }


def test_a_token_goes_when_its_time_is_over() -> None:
    async def main() -> None:
        w = World(TokenCleaner)
        now = w.clock.now()
        for name, expiration in (
            ("passed", rfc3339(now - 1)),
            ("soon", rfc3339(now + 60)),
            ("unread", "tomorrow"),
            ("always", ""),
        ):
            w.api.put("secrets", _token(name, expiration))

        def left() -> set[str]:
            return {each["metadata"]["name"].removeprefix("bootstrap-token-") for each in w.api.all("secrets")}

        async with w.running():
            await w.settle()
            assert left() == {"soon", "always"}
            await w.settle(90)
            assert left() == {"always"}

    virtual.run(main())
