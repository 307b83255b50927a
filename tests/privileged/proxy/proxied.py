"""A proxy's rules on the lab's node, in either mode, from API objects on: what the API server would send, packets feel."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
from collections.abc import Coroutine, Iterator, Mapping
from typing import TypeVar

from cybernetes.proxy import decode
from cybernetes.proxy.dataplane import Dataplane, TableDataplane
from cybernetes.proxy.frame import LocalPods, Settings
from cybernetes.proxy.objects import NodeFacts, Slice, pack
from cybernetes.proxy.packets.iptables import IptablesDataplane
from cybernetes.proxy.packets.nft import NftPackets
from cybernetes.proxy.state import PortView, State

from . import lab

T = TypeVar("T")
HERE, ZONE = "here", "zone-a"
VIP = {4: "10.96.0.5", 6: "fd96::5"}
MODES = ("nftables", "iptables")
# Conditions of an endpoint.
READY = {"ready": True, "serving": True, "terminating": False}
UNREADY = {"ready": False, "serving": False, "terminating": False}
ENDING = {"ready": False, "serving": True, "terminating": True}
ENDED = {"ready": False, "serving": False, "terminating": True}
SETTINGS = Settings(
    LocalPods(lab.POD_RANGES),
    nodeport_ips=tuple(pack(each) for each in lab.NODE_IP.values()),
    node_ips=tuple(pack(each) for each in lab.NODE_IP.values()),
    service_ranges=("10.96.0.0/12", "fd96::/112"),
)


class Proxied:
    """Its loop, and the threads that it lets work, are in the node's namespace."""

    def __init__(self, mode: str, family: int) -> None:
        self.mode = mode
        self.family = family
        self.state = State(NodeFacts(HERE, ZONE))
        self._slices: dict[str, Slice] = {}
        self._installed = False
        self._runner = asyncio.Runner()
        workers = concurrent.futures.ThreadPoolExecutor(2, initializer=lab.enter, initargs=(lab.NODE,))
        self._runner.get_loop().set_default_executor(workers)
        self._plane, self._remove = self._make(mode)

    def _make(self, mode: str) -> tuple[Dataplane, Coroutine[object, object, None]]:
        if mode == "iptables":
            plane = IptablesDataplane(self.family)
            return plane, plane.remove()
        with lab.inside(lab.NODE):
            packets = NftPackets(self.family)
        return TableDataplane(packets), packets.remove()

    def run(self, work: Coroutine[object, object, T]) -> T:
        with lab.inside(lab.NODE):
            return self._runner.run(work)

    def apply(self, *objects: dict[str, object]) -> None:
        """Take in Services and EndpointSlices, new or changed."""
        for each in objects:
            self._reduce(each)
        changed = self.state.take_changed()
        if self._installed:
            changes: dict[str, PortView | None] = {view.key: view for view in self._views(*changed)}
            self.run(self._plane.change(changes, lambda key: None))
        else:
            self.run(self._plane.install(self.views(), SETTINGS, lambda key: None))
            self._installed = True

    def views(self) -> Iterator[PortView]:
        return self._views(*sorted(self.state.services))

    def close(self) -> None:
        """Nothing of it remains."""
        self.run(self._remove)
        self.run(self._plane.close())
        self._runner.close()
        lab.run("conntrack", "-F", namespace=lab.NODE)

    def _views(self, *services: str) -> Iterator[PortView]:
        for service in services:
            yield from self.state.views(service, self.family)

    def _reduce(self, given: dict[str, object]) -> None:
        body = json.dumps(given).encode()
        if given["kind"] == "Service":
            service = decode.service(body)
            self.state.reduce_service(service.key, service)
        else:
            key, new = str(given["metadata"]), decode.endpoint_slice(body)
            self.state.reduce_slice(key, self._slices.get(key), new)
            self._slices[key] = new


def service(
    family: int, spec: Mapping[str, object] | None = None, *, protocol: str = "TCP", node_port: int = 0
) -> dict[str, object]:
    """default/web, port 80."""
    port = {"name": "http", "port": 80, "protocol": protocol, "nodePort": node_port}
    given = {"clusterIP": VIP[family], "clusterIPs": [VIP[family]], "ports": [port], **(spec or {})}
    return {"kind": "Service", "metadata": {"name": "web", "namespace": "default"}, "spec": given, "status": {}}


def slice_of(family: int, *endpoints: dict[str, object], protocol: str = "TCP") -> dict[str, object]:
    """Of default/web."""
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": f"IPv{family}",
        "endpoints": list(endpoints),
        "ports": [{"name": "http", "port": lab.PORT, "protocol": protocol}],
    }


def endpoint(
    family: int,
    number: int,
    conditions: Mapping[str, bool] = READY,
    *,
    node: str = HERE,
    hints: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The lab's pod of that number."""
    given: dict[str, object] = {"addresses": [lab.pod_ip(number, family)], "nodeName": node, "conditions": conditions}
    return {**given, "hints": hints} if hints else given
