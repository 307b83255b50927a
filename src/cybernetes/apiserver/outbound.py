"""Connections from the API server to others: kubelets, by certificate; pods and services of proxied requests."""

from __future__ import annotations

import ssl
from collections import OrderedDict

from cybernetes.apiserver.config import ServerConfig
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Transport
from cybernetes.wire.http.tls import client_context

# Destinations with open connections; the least recently used is closed beyond that.
DESTINATIONS_MAX = 1024


class Outbound:
    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._tls: ssl.SSLContext | None = None
        self._transports: OrderedDict[str, HttpTransport] = OrderedDict()
        self._dropped: list[HttpTransport] = []

    def to(self, url: str) -> Transport:
        """The transport to `scheme://host:port`."""
        found = self._transports.get(url)
        if found is None:
            found = self._transports[url] = HttpTransport(url, self._context() if url.startswith("https:") else None)
            if len(self._transports) > DESTINATIONS_MAX:
                self._dropped.append(self._transports.popitem(last=False)[1])
        self._transports.move_to_end(url)
        return found

    async def close(self) -> None:
        for each in [*self._transports.values(), *self._dropped]:
            await each.close()
        self._transports.clear()

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            config = self._config
            # Nodes are found by address, and their certificates name the node: the authority vouches, not the name.
            self._tls = client_context(
                config.kubelet_authorities,
                config.kubelet_certificate,
                config.kubelet_key,
                verify=bool(config.kubelet_authorities),
            )
            self._tls.check_hostname = False
        return self._tls
