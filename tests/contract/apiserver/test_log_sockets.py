"""Logs over WebSockets, as the browser-like clients of the reference's own tests read them."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import aiohttp
import pytest
from calls import Client
from test_connect import Kubelet, run

from apiserver_fixture import RunningApi
from cybernetes.wire.http.tls import client_context


@pytest.mark.parametrize("protocol", ["binary.k8s.io", "base64.binary.k8s.io", None])
def test_a_log_is_a_series_of_messages_behind_an_empty_one(tmp_path: Path, protocol: str | None) -> None:
    async def test(api: RunningApi, client: Client, kubelet: Kubelet) -> None:
        url = f"{api.url}/api/v1/namespaces/shop/pods/web/log?container=app"
        tls = client_context(api.ca, api.certificate, api.key)
        async with (
            asyncio.timeout(60),
            aiohttp.ClientSession() as session,
            session.ws_connect(url, ssl=tls, protocols=[protocol] if protocol else []) as socket,
        ):
            messages = [each.data async for each in socket]
            assert socket.protocol == protocol
            assert socket.close_code == 1000
        if protocol == "base64.binary.k8s.io":
            messages = [base64.b64decode(each) for each in messages]
        assert messages[0] == b""
        assert b"".join(messages) == b"first\nsecond\n"

    run(tmp_path, test)


def test_unknown_protocols_and_failures_are_refused_before_the_upgrade(tmp_path: Path) -> None:
    async def test(api: RunningApi, client: Client, kubelet: Kubelet) -> None:
        tls = client_context(api.ca, api.certificate, api.key)
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            for name, protocol, status in (("web", "tea.k8s.io", 403), ("broken", "binary.k8s.io", 400)):
                url = f"{api.url}/api/v1/namespaces/shop/pods/{name}/log"
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await session.ws_connect(url, ssl=tls, protocols=[protocol])
                assert refused.value.status == status

    run(tmp_path, test)
