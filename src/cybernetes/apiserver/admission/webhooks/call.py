"""Asks webhooks over HTTPS: where a hook is, and the connection to it."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections import OrderedDict
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cybernetes.apiserver.aggregate import plan
from cybernetes.apiserver.aggregate.plan import Unavailable
from cybernetes.apiserver.crd.conversion import NotAsked
from cybernetes.auth.lister import Lister
from cybernetes.base.errors import EdgeError
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request
from cybernetes.wire.http.tls import client_context

Object = dict[str, Any]

# Hooks with open connections.
DESTINATIONS_MAX = 64


class Address(msgspec.Struct, frozen=True):
    """shown: the URL as messages show it. url: scheme, host and port. server_name: "" for the URL's own."""

    shown: str
    url: str
    path: str
    server_name: str = ""
    ca: bytes = b""


class HttpsCaller:
    def __init__(self, lister: Lister) -> None:
        self._lister = lister
        self._transports: OrderedDict[tuple[str, str, bytes], HttpTransport] = OrderedDict()

    async def ask(self, client_config: Object, body: bytes, timeout_s: int) -> bytes:
        """The answer's body. Raises NotAsked."""
        address = self._address(client_config, timeout_s)
        query = {"timeout": [f"{timeout_s}s"]}
        headers = {"content-type": "application/json", "accept": "application/json"}
        request = Request("POST", address.path, query, headers, body)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._transport(address).send(request)
        except TimeoutError as late:
            raise NotAsked(f'Post "{address.shown}": context deadline exceeded') from late
        except EdgeError as broken:
            raise NotAsked(f'Post "{address.shown}": {broken.message}') from broken
        if answer.status != 200 or not isinstance(answer.body, bytes):
            raise NotAsked(f"the server answered {answer.status}")
        return answer.body

    async def close(self) -> None:
        for each in self._transports.values():
            await each.close()
        self._transports.clear()

    def _address(self, config: Object, timeout_s: int) -> Address:
        ca = b64decode(config.get("caBundle") or "")
        service = config.get("service")
        if not service:
            parts = urlsplit(config.get("url", ""))
            shown = f"{parts.scheme}://{parts.netloc}{parts.path}?timeout={timeout_s}s"
            return Address(shown, f"{parts.scheme}://{parts.netloc}", parts.path or "/", ca=ca)
        namespace, name = service["namespace"], service["name"]
        path, port = service.get("path") or "/", service.get("port") or plan.DEFAULT_PORT
        shown = f"https://{name}.{namespace}.svc:{port}{path}?timeout={timeout_s}s"
        found = plan.destination(
            {"spec": {"service": service}},
            self._lister.get("", "services", namespace, name),
            self._slices(namespace, name),
            ca,
        )
        if isinstance(found, Unavailable):
            missing = found.reason == "ServiceNotFound"
            why = f'service "{name}" not found' if missing else f'no endpoints available for service "{name}"'
            raise NotAsked(f'Post "{shown}": {why}')
        return Address(shown, found.url, path, found.server_name, ca)

    def _slices(self, namespace: str, name: str) -> list[Object]:
        return [
            each
            for each in self._lister.list("discovery.k8s.io", "endpointslices", namespace)
            if (each["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name
        ]

    def _transport(self, address: Address) -> HttpTransport:
        key = address.url, address.server_name, address.ca
        transport = self._transports.get(key)
        if transport is None:
            tls = client_context(address.ca)
            transport = self._transports[key] = HttpTransport(address.url, tls, server_name=address.server_name)
            if len(self._transports) > DESTINATIONS_MAX:
                self._transports.popitem(last=False)
        self._transports.move_to_end(key)
        return transport
