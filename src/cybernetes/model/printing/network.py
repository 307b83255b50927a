"""How networking and discovery print."""

from __future__ import annotations

from cybernetes.model.printing.formats import (
    AGE,
    NAME,
    NONE,
    UNSET,
    at,
    column,
    first_few,
    format_selector,
    marked_default,
    text,
)
from cybernetes.model.resource import Column, Object


def _hosts(obj: Object, now: float) -> str:
    hosts = [rule["host"] for rule in at(obj, "spec", "rules", default=()) if rule.get("host")]
    return first_few(list(dict.fromkeys(hosts))) or "*"


def _address(obj: Object, now: float) -> str:
    ingress = at(obj, "status", "loadBalancer", "ingress", default=())
    return ",".join(sorted({each.get("ip") or each.get("hostname", "") for each in ingress} - {""}))


INGRESSES = (
    NAME,
    text(
        "Class",
        "The name of the IngressClass resource that should be used for additional configuration",
        "spec",
        "ingressClassName",
        default=NONE,
    ),
    column("Hosts", _hosts, "Hosts that incoming requests are matched against before the ingress rule"),
    column("Address", _address, "Address is a list containing ingress points for the load-balancer"),
    column(
        "Ports",
        lambda obj, now: "80, 443" if at(obj, "spec", "tls") else "80",
        "Ports of TLS configurations that open",
    ),
    AGE,
)


def _parameters(obj: Object, now: float) -> str:
    found = at(obj, "spec", "parameters")
    if not found:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind', '')}{group}/{found.get('name', '')}"


INGRESS_CLASSES = (
    marked_default("ingressclass.kubernetes.io/is-default-class"),
    text("Controller", "Controller that is responsible for handling this class", "spec", "controller"),
    column("Parameters", _parameters, "A reference to a resource with additional parameters"),
    AGE,
)
NETWORK_POLICIES = (
    NAME,
    column(
        "Pod-Selector",
        lambda obj, now: format_selector(at(obj, "spec", "podSelector")),
        "@networking.v1.NetworkPolicySpec#podSelector",
    ),
    AGE,
)
SERVICE_CIDRS = (
    NAME,
    column(
        "CIDRs",
        lambda obj, now: ",".join(at(obj, "spec", "cidrs", default=())),
        'CIDRs defines the IP blocks in CIDR notation (e.g. "192.168.0.0/24" or "2001:db8::/64") from which to assign '
        "service cluster IPs. Max of two CIDRs is allowed, one of each IP family. This field is immutable.",
    ),
    AGE,
)


def _parent(obj: Object, now: float) -> str:
    parent = at(obj, "spec", "parentRef", default={})
    group = f".{parent['group']}" if parent.get("group") else ""
    parts = [f"{parent.get('resource', '')}{group}", parent.get("namespace", ""), parent.get("name", "")]
    return "/".join(part for part in parts if part).lower()


IP_ADDRESSES = (
    NAME,
    column(
        "ParentRef",
        _parent,
        "ParentRef references the resource that an IPAddress is attached to. An IPAddress must reference a parent "
        "object.",
    ),
)


def _slice_ports(obj: Object, now: float) -> str:
    shown = [
        str(port["port"]) if port.get("port") is not None else port.get("name") or "*"
        for port in obj.get("ports") or ()
    ]
    return first_few(shown) or UNSET


def _slice_endpoints(obj: Object, now: float) -> str:
    addresses = [address for each in obj.get("endpoints") or () for address in each.get("addresses") or ()]
    return first_few(addresses) or UNSET


ENDPOINT_SLICES: tuple[Column, ...] = (
    NAME,
    text("AddressType", "@discovery.v1.EndpointSlice#addressType", "addressType"),
    column("Ports", _slice_ports, "@discovery.v1.EndpointSlice#ports"),
    column("Endpoints", _slice_endpoints, "@discovery.v1.EndpointSlice#endpoints"),
    AGE,
)
