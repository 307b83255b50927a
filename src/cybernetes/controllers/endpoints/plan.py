"""The subsets of an Endpoints object.

source  Kubernetes documentation "Service", Endpoints; API reference, Endpoints v1
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from cybernetes.controllers import pods
from cybernetes.controllers.endpointslice.endpoints import address_of, families, hostname_of, is_headless, ports_of
from cybernetes.controllers.endpointslice.objects import Ports, ports_json, target_ref_json
from cybernetes.controllers.objects import Pod, Service

# More would make the object too big for every watcher; the rest is in EndpointSlices only.
ADDRESSES_MAX = 1000

Object = dict[str, Any]


class _Address(msgspec.Struct, frozen=True):
    pod: Pod
    ip: str
    ports: Ports
    ready: bool


def subsets(service: Service, selected: Sequence[Pod]) -> tuple[list[Object], bool]:
    """(subsets as the API has them, whether addresses were left out)."""
    found = list(_addresses(service, selected))
    over = len(found) > ADDRESSES_MAX
    if over:
        # Ready ones stay: they can serve.
        found = sorted(found, key=lambda each: not each.ready)[:ADDRESSES_MAX]
    groups: dict[Ports, list[_Address]] = {}
    for each in found:
        groups.setdefault(each.ports, []).append(each)
    return [_subset(service, ports, groups[ports]) for ports in sorted(groups)], over


def _addresses(service: Service, selected: Sequence[Pod]) -> Iterable[_Address]:
    tolerant = service.spec.publish_not_ready_addresses
    family = families(service)[0]
    for pod in selected:
        ip = address_of(pod, family)
        leaving = bool(pod.metadata.deletion_timestamp) and not tolerant
        if not ip or pods.is_terminal(pod) or leaving:
            continue
        ports = ports_of(service, pod)
        if ports or (is_headless(service) and not service.spec.ports):
            yield _Address(pod, ip, ports, tolerant or pods.is_ready(pod))


def _subset(service: Service, ports: Ports, addresses: list[_Address]) -> Object:
    ordered = sorted(addresses, key=lambda each: (int(ipaddress.ip_address(each.ip)), each.pod.metadata.uid))
    subset: Object = {}
    if ready := [_address(service, each) for each in ordered if each.ready]:
        subset["addresses"] = ready
    if waiting := [_address(service, each) for each in ordered if not each.ready]:
        subset["notReadyAddresses"] = waiting
    if ports:
        subset["ports"] = [_port(row) for row in ports_json(ports)]
    return subset


def _address(service: Service, each: _Address) -> Object:
    address: Object = {"ip": each.ip}
    if hostname := hostname_of(service, each.pod):
        address["hostname"] = hostname
    if each.pod.spec.node_name:
        address["nodeName"] = each.pod.spec.node_name
    address["targetRef"] = target_ref_json(each.pod.metadata)
    return address


def _port(row: Object) -> Object:
    """Here an empty name is left out."""
    return {name: value for name, value in row.items() if value != ""}
