"""Passes requests on to other API servers, with the user in headers."""

from __future__ import annotations

import ssl
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cybernetes.apiserver import onward, respond
from cybernetes.apiserver.aggregate.plan import (
    OPENAPI,
    SERVICE_NAME,
    Destination,
    Local,
    Object,
    Unavailable,
    destination,
    service_of,
)
from cybernetes.apiserver.chain import Passage
from cybernetes.apiserver.config import ServerConfig
from cybernetes.apiserver.core import Core
from cybernetes.base.errors import EdgeError
from cybernetes.base.log import Log
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Request, Response
from cybernetes.wire.http.tls import client_context

log = Log("apiserver.aggregate")

GROUP, PLURAL = "apiregistration.k8s.io", "apiservices"
# Other servers with open connections; more than a cluster has.
DESTINATIONS_MAX = 64
_OURS = ("authorization", "x-remote-", "impersonate-")


class Aggregator:
    """within: servers in this process, by group and version, for APIServices of these that name no Service."""

    def __init__(self, core: Core, config: ServerConfig, within: Mapping[tuple[str, str], Local] = {}) -> None:
        self._core = core
        self._config = config
        self._within = within
        self._remote: dict[tuple[str, str], Object] = {}
        self._transports: OrderedDict[Destination, HttpTransport] = OrderedDict()
        core.lister.subscribe(GROUP, PLURAL, self._changed)

    def remote(self) -> list[Object]:
        """The APIServices of other servers."""
        return list(self._remote.values())

    async def answer(self, core: Core, passage: Passage) -> Response | None:
        """The other server's answer; None where nobody else has this group and version."""
        parts = passage.request.path.removeprefix(OPENAPI).split("/")
        if len(parts) < 4 or parts[1] != "apis":
            return None
        api_service = self._remote.get((parts[2], parts[3]))
        if api_service is None:
            return None
        found = self.find(api_service)
        if isinstance(found, Unavailable):
            return respond.text(503, "service unavailable\n")
        request = passage.request
        headers = {name: value for name, value in forwarded(request).items() if not name.startswith(_OURS)}
        headers.update(user_headers(passage.user))
        try:
            answer = await self.send(found, Request(request.method, request.path, request.query, headers, request.body))
        except EdgeError as broken:
            log.warning("aggregate.failed", service=api_service["metadata"]["name"], why=broken.message)
            return respond.text(503, f"error trying to reach service: {broken.message}\n")
        if 300 <= answer.status < 400 and answer.status != 304:
            log.warning("aggregate.redirected", service=api_service["metadata"]["name"], status=answer.status)
            return respond.text(502, f"{onward.REDIRECTED}\n")
        return onward.passed_on(answer)

    def find(self, api_service: Object) -> Destination | Local | Unavailable:
        """Where the server of an APIService is now."""
        lister, wanted = self._core.lister, service_of(api_service)
        if wanted is None:
            return self._within[_version_of(api_service)]
        namespace, name, _ = wanted
        service = lister.get("", "services", namespace, name)
        slices = lister.labelled("discovery.k8s.io", "endpointslices", namespace, SERVICE_NAME, name)
        return destination(api_service, service, slices, b64decode(api_service["spec"].get("caBundle") or ""))

    async def send(self, found: Destination | Local, request: Request) -> Response:
        if isinstance(found, Local):
            return await found.answer(request)
        return await self._transport(found).send(request)

    def renew(self, config: ServerConfig) -> None:
        """Be known to other servers by another certificate."""
        self._config = config
        for found, each in self._transports.items():
            each.reload(self._context(found))

    async def close(self) -> None:
        for each in self._transports.values():
            await each.close()
        self._transports.clear()

    def _transport(self, found: Destination) -> HttpTransport:
        transport = self._transports.get(found)
        if transport is None:
            tls = self._context(found)
            transport = self._transports[found] = HttpTransport(
                found.url, tls, server_name=found.server_name, streamed=True
            )
            if len(self._transports) > DESTINATIONS_MAX:
                self._transports.popitem(last=False)
        self._transports.move_to_end(found)
        return transport

    def _context(self, found: Destination) -> ssl.SSLContext:
        config = self._config
        return client_context(found.ca, config.front_proxy_certificate, config.front_proxy_key, verify=found.verify)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        for each in (old, new):
            if each is not None:
                self._remote.pop(_version_of(each), None)
        if new is not None and (service_of(new) is not None or _version_of(new) in self._within):
            self._remote[_version_of(new)] = new


def _version_of(api_service: Object) -> tuple[str, str]:
    spec = api_service.get("spec", {})
    return spec.get("group", ""), spec.get("version", "")


def forwarded(request: Request) -> dict[str, str]:
    """Headers that are not about the client's own connection."""
    dropped = {"host", "content-length", *onward.HOP_BY_HOP}
    headers = {name: value for name, value in request.headers.items() if name not in dropped}
    if "upgrade" in headers:
        headers["connection"] = "Upgrade"
    return headers


def user_headers(user: Any) -> dict[str, str]:
    """Who asks, as front proxies say it."""
    headers = {"x-remote-user": user.name}
    if user.uid:
        headers["x-remote-uid"] = user.uid
    if user.groups:
        headers["x-remote-group"] = ", ".join(user.groups)
    for key, values in (user.extra or {}).items():
        headers[f"x-remote-extra-{quote(key.lower(), safe='-_.')}"] = ", ".join(values)
    return headers
