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
from cybernetes.model.field import quoted
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.tls import client_context

Object = dict[str, Any]

# Hooks with open connections.
DESTINATIONS_MAX = 64
# The largest review that is sent, its objects, and as much again for patches; a hook that says more is not believed.
ANSWER_BYTES_MAX = 16 << 20
_DONE = range(200, 207)
_SAID_MAX = 2048
_REFUSALS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


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
        # Requests may still be under way there.
        self._dropped: list[HttpTransport] = []

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
        if answer.status not in _DONE or not isinstance(answer.body, bytes):
            raise NotAsked(refusal(answer))
        return answer.body

    async def close(self) -> None:
        for each in (*self._transports.values(), *self._dropped):
            await each.close()
        self._dropped.clear()
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
            self._lister.labelled("discovery.k8s.io", "endpointslices", namespace, plan.SERVICE_NAME, name),
            ca,
        )
        if isinstance(found, Unavailable):
            raise NotAsked(f'Post "{shown}": {_nowhere(found, name, port)}')
        return Address(shown, found.url, path, found.server_name, ca)

    def _transport(self, address: Address) -> HttpTransport:
        key = address.url, address.server_name, address.ca
        transport = self._transports.get(key)
        if transport is None:
            transport = self._transports[key] = HttpTransport(
                address.url, client_context(address.ca), server_name=address.server_name, answer_max=ANSWER_BYTES_MAX
            )
            if len(self._transports) > DESTINATIONS_MAX:
                self._dropped.append(self._transports.popitem(last=False)[1])
        self._transports.move_to_end(key)
        return transport


def _nowhere(found: Unavailable, name: str, port: int) -> str:
    """In the words that are used of webhooks; those of the condition Available are others."""
    match found.reason:
        case "ServiceNotFound":
            return f'service "{name}" not found'
        case "ServicePortError":
            return f'no service port {port} found for service "{name}"'
    return f'no endpoints available for service "{name}"'


def refusal(answer: Response) -> str:
    """What clients of Kubernetes make of a status that is no success. A redirect is one: it is never followed."""
    said = answer.body[:_SAID_MAX].decode("utf-8", "replace").strip() if isinstance(answer.body, bytes) else ""
    if answer.status in _REFUSALS:
        return _REFUSALS[answer.status]
    if answer.status >= 500:
        return f"an error on the server ({quoted(said or 'unknown')}) has prevented the request from succeeding"
    if answer.status in (403, 406, 415):
        return said or "unknown"
    return f"the server responded with the status code {answer.status} but did not return more details"
