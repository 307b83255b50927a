"""Connections from the API server to others: kubelets, by certificate; pods and services, as nobody."""

from __future__ import annotations

import ipaddress
import ssl
from collections import OrderedDict
from collections.abc import Callable

from cybernetes.apiserver.config import ServerConfig
from cybernetes.wire.http.client import HttpTransport
from cybernetes.wire.http.message import Transport
from cybernetes.wire.http.tls import client_context

# Destinations with open connections; the least recently used is closed beyond that.
DESTINATIONS_MAX = 1024


class Outbound:
    """Two kinds of destinations that share nothing: what a tenant may point at never sees the kubelets' credential."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._kubelets: ssl.SSLContext | None = None
        self._workloads: ssl.SSLContext | None = None
        self._transports: OrderedDict[tuple[str, str], HttpTransport] = OrderedDict()
        self._dropped: list[HttpTransport] = []

    def to_kubelet(self, node: str, url: str) -> Transport:
        """The transport to a node's kubelet at `https://host:port`.

        Nodes say themselves where they are: only a server whose certificate names this node is believed.
        """
        name = node if self._config.kubelet_authorities else ""
        return self._kept((node, url), lambda: self._kubelet(url, name))

    def to_workload(self, url: str) -> Transport:
        """The transport to `scheme://host:port` of a pod or service, whose certificate is anybody's."""
        return self._kept(("", url), lambda: self._workload(url))

    def renew(self, config: ServerConfig) -> None:
        """Show kubelets another certificate, and trust theirs of other authorities; sessions go on."""
        self._config, self._kubelets = config, None
        for (node, _), each in self._transports.items():
            if node:
                each.reload(self._kubelet_context())

    async def close(self) -> None:
        for each in [*self._transports.values(), *self._dropped]:
            await each.close()
        self._transports.clear()

    def _kept(self, key: tuple[str, str], build: Callable[[], HttpTransport]) -> Transport:
        found = self._transports.get(key)
        if found is None:
            found = self._transports[key] = build()
            if len(self._transports) > DESTINATIONS_MAX:
                self._dropped.append(self._transports.popitem(last=False)[1])
        self._transports.move_to_end(key)
        return found

    def _workload(self, url: str) -> HttpTransport:
        if self._workloads is None:
            self._workloads = client_context(verify=False)
        tls = self._workloads if url.startswith("https:") else None
        return HttpTransport(url, tls, reachable=is_proxyable, streamed=True)

    def _kubelet(self, url: str, name: str) -> HttpTransport:
        return HttpTransport(url, self._kubelet_context(), server_name=name, streamed=True)

    def _kubelet_context(self) -> ssl.SSLContext:
        if self._kubelets is None:
            config = self._config
            self._kubelets = client_context(
                config.kubelet_authorities,
                config.kubelet_certificate,
                config.kubelet_key,
                verify=bool(config.kubelet_authorities),
            )
        return self._kubelets


def is_proxyable(address: str) -> bool:
    """Whether requests may be passed on to an IP address: not to the server itself, its link, or many at once."""
    try:
        parsed = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    ip = mapped if mapped is not None else parsed
    broadcast = str(ip) == "255.255.255.255"
    return not (ip.is_unspecified or ip.is_loopback or ip.is_link_local or ip.is_multicast or broadcast)


def is_literal(address: str) -> bool:
    """Whether it is an IP address, not a name that must be resolved first."""
    try:
        ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    return True
