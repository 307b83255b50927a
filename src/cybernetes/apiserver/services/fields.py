"""Which fields of a Service its type needs, and what an update keeps of those. Pure; in place."""

from __future__ import annotations

from typing import Any

from cybernetes.base.errors import ApiError
from cybernetes.model import field
from cybernetes.model.field import Path

Object = dict[str, Any]
Spec = dict[str, Any]

NONE = "None"
SPEC = Path("spec")


def needs_address(spec: Spec) -> bool:
    return spec.get("type", "ClusterIP") in ("ClusterIP", "NodePort", "LoadBalancer")


def headless(spec: Spec) -> bool:
    return spec.get("clusterIP") == NONE


def needs_node_ports(spec: Spec) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False)


def may_have_node_ports(spec: Spec) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def needs_health_port(spec: Spec) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _may_be_external(spec: Spec) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer") or bool(spec.get("externalIPs"))


def normalize(new: Spec, old: Spec | None) -> None:
    """clusterIP is the first of clusterIPs: whoever changes only one of them means both."""
    address, addresses = new.get("clusterIP", ""), new.get("clusterIPs") or []
    if old is None:
        if address and not addresses:
            new["clusterIPs"] = [address]
        return
    if address == old.get("clusterIP", "") or addresses != (old.get("clusterIPs") or []):
        return
    if address:
        new["clusterIPs"] = [address]
    else:
        new.pop("clusterIPs", None)


def carry_over(new: Spec, old: Spec) -> None:
    """What was allocated stays where the client left it out, so that repeating a manifest changes nothing."""
    if needs_address(old) and needs_address(new):
        if not new.get("clusterIP") and old.get("clusterIP"):
            new["clusterIP"] = old["clusterIP"]
        if not new.get("clusterIPs") and new.get("clusterIP") == old.get("clusterIP") and old.get("clusterIPs"):
            new["clusterIPs"] = list(old["clusterIPs"])
    if needs_node_ports(old) and needs_node_ports(new):
        _carry_node_ports(new, old)
    if needs_health_port(old) and needs_health_port(new) and not new.get("healthCheckNodePort"):
        _set(new, "healthCheckNodePort", old.get("healthCheckNodePort"))


def _carry_node_ports(new: Spec, old: Spec) -> None:
    used = {port["nodePort"] for port in new.get("ports") or () if port.get("nodePort")}
    had = {port.get("name", ""): port.get("nodePort") for port in old.get("ports") or ()}
    for port in new.get("ports") or ():
        before = had.get(port.get("name", ""))
        if not port.get("nodePort") and before and before not in used:
            port["nodePort"] = before
            used.add(before)


_OF_ADDRESS = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")


def drop_of_former_type(new: Spec, old: Spec) -> None:
    """Fields that only the former type had go, unless the client changed them: then validation shall say so."""
    if needs_address(old) and not needs_address(new):
        _drop_unchanged(new, old, *_OF_ADDRESS)
    if may_have_node_ports(old) and not may_have_node_ports(new) and _node_ports(new) == _node_ports(old):
        for port in new.get("ports") or ():
            port.pop("nodePort", None)
    if needs_health_port(old) and not needs_health_port(new):
        _drop_unchanged(new, old, "healthCheckNodePort")
    if old.get("type") == "LoadBalancer" and new.get("type") != "LoadBalancer":
        _drop_unchanged(new, old, "allocateLoadBalancerNodePorts", "loadBalancerClass")
    if _may_be_external(old) and not _may_be_external(new):
        _drop_unchanged(new, old, "externalTrafficPolicy")


def _drop_unchanged(new: Spec, old: Spec, *names: str) -> None:
    for name in names:
        if name in new and new[name] == old.get(name):
            del new[name]


def _node_ports(spec: Spec) -> list[int]:
    return [port.get("nodePort", 0) for port in spec.get("ports") or ()]


def _set(spec: Spec, name: str, value: Any) -> None:
    if value:
        spec[name] = value


def invalid(service: Object, errors: list[field.FieldError]) -> ApiError:
    return field.invalid_object("", "Service", service["metadata"].get("name", ""), errors)
