"""NetworkPolicies, Pods and Namespaces as slim values."""

from __future__ import annotations

from typing import Any

import msgspec

from cybernetes.model import selector
from cybernetes.model.selector import Requirements


class NamedPort(msgspec.Struct, frozen=True, gc=False):
    name: str
    protocol: str
    port: int


class Pod(msgspec.Struct, frozen=True, gc=False):
    """addresses: none for pods that rules can't tell apart (of the host's network) and for ended ones.

    starting: it is going to have some.
    """

    namespace: str
    name: str
    node: str
    addresses: tuple[str, ...]
    labels: dict[str, str]
    ports: tuple[NamedPort, ...] = ()
    starting: bool = False


class Namespace(msgspec.Struct, frozen=True, gc=False):
    name: str
    labels: dict[str, str]


class Block(msgspec.Struct, frozen=True, gc=False):
    """Addresses of a range; CIDR texts."""

    cidr: str
    excepts: tuple[str, ...] = ()


class Selected(msgspec.Struct, frozen=True, gc=False):
    """Pods that fit `pods` in one namespace, or with namespace "" in all that fit `namespaces`."""

    namespace: str
    namespaces: Requirements
    pods: Requirements

    def __str__(self) -> str:
        within = self.namespace or f"({selector.render(self.namespaces)})"
        return f"{within}/({selector.render(self.pods)})"


class Port(msgspec.Struct, frozen=True, gc=False):
    """port 0: all of the protocol. end: the last of a range, as upstream inclusive. name: of a port of the receiver."""

    protocol: str
    port: int = 0
    end: int = 0
    name: str = ""


class Rule(msgspec.Struct, frozen=True, gc=False):
    """One of the peers, and one of the ports; an empty tuple is all of them."""

    peers: tuple[Block | Selected, ...] = ()
    ports: tuple[Port, ...] = ()


class Policy(msgspec.Struct, frozen=True, gc=False):
    """ingress, egress: what may come in and go out of `subjects`; None where the policy leaves that as it is."""

    namespace: str
    name: str
    subjects: Selected
    ingress: tuple[Rule, ...] | None
    egress: tuple[Rule, ...] | None


class _Meta(msgspec.Struct, frozen=True, gc=False):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None


class _ContainerPort(msgspec.Struct, rename={"port": "containerPort"}, frozen=True, gc=False):
    port: int
    name: str = ""
    protocol: str = "TCP"


class _Container(msgspec.Struct, frozen=True, gc=False):
    ports: list[_ContainerPort] | None = None
    restart: str = msgspec.field(name="restartPolicy", default="")


class _PodSpec(msgspec.Struct, rename="camel", frozen=True, gc=False):
    node_name: str = ""
    host_network: bool = False
    containers: list[_Container] = []
    init_containers: list[_Container] | None = None


class _Address(msgspec.Struct, frozen=True, gc=False):
    ip: str = ""


class _PodStatus(msgspec.Struct, rename={"addresses": "podIPs"}, frozen=True, gc=False):
    phase: str = ""
    addresses: list[_Address] | None = None


class _Pod(msgspec.Struct, frozen=True, gc=False):
    metadata: _Meta
    spec: _PodSpec = _PodSpec()
    status: _PodStatus = _PodStatus()


class _Namespace(msgspec.Struct, frozen=True, gc=False):
    metadata: _Meta


class _PolicyPort(msgspec.Struct, frozen=True, gc=False):
    protocol: str = "TCP"
    port: int | str = 0
    end: int = msgspec.field(name="endPort", default=0)


class _PolicyBlock(msgspec.Struct, rename={"excepts": "except"}, frozen=True, gc=False):
    cidr: str
    excepts: list[str] | None = None


class _PolicyPeer(msgspec.Struct, rename="camel", frozen=True, gc=False):
    pod_selector: dict[str, Any] | None = None
    namespace_selector: dict[str, Any] | None = None
    ip_block: _PolicyBlock | None = None


class _PolicyRule(msgspec.Struct, rename={"sources": "from", "receivers": "to"}, frozen=True, gc=False):
    sources: list[_PolicyPeer] | None = None
    receivers: list[_PolicyPeer] | None = None
    ports: list[_PolicyPort] | None = None


class _PolicySpec(msgspec.Struct, rename="camel", frozen=True, gc=False):
    pod_selector: dict[str, Any] = {}
    policy_types: list[str] = []
    ingress: list[_PolicyRule] | None = None
    egress: list[_PolicyRule] | None = None


class _Policy(msgspec.Struct, frozen=True, gc=False):
    metadata: _Meta
    spec: _PolicySpec = _PolicySpec()


_pods = msgspec.json.Decoder(_Pod)
_namespaces = msgspec.json.Decoder(_Namespace)
_policies = msgspec.json.Decoder(_Policy)


def decode_pod(body: bytes) -> Pod:
    read = _pods.decode(body)
    meta, spec = read.metadata, read.spec
    hidden = spec.host_network or read.status.phase in ("Succeeded", "Failed")
    addresses = () if hidden else tuple(each.ip for each in read.status.addresses or () if each.ip)
    sidecars = [each for each in spec.init_containers or () if each.restart == "Always"]
    ports = tuple(
        NamedPort(port.name, port.protocol, port.port)
        for container in (*spec.containers, *sidecars)
        for port in container.ports or ()
        if port.name
    )
    starting = not hidden and not addresses
    return Pod(meta.namespace, meta.name, spec.node_name, addresses, meta.labels or {}, ports, starting)


def decode_namespace(body: bytes) -> Namespace:
    meta = _namespaces.decode(body).metadata
    return Namespace(meta.name, meta.labels or {})


def decode_policy(body: bytes) -> Policy:
    """policyTypes are there: the API server gives them their default."""
    read = _policies.decode(body)
    namespace, spec = read.metadata.namespace, read.spec
    subjects = Selected(namespace, (), selector.from_object(spec.pod_selector) or ())
    ingress = [(each.sources, each.ports) for each in spec.ingress or ()]
    egress = [(each.receivers, each.ports) for each in spec.egress or ()]
    return Policy(
        namespace,
        read.metadata.name,
        subjects,
        tuple(_rule(namespace, *each) for each in ingress) if "Ingress" in spec.policy_types else None,
        tuple(_rule(namespace, *each) for each in egress) if "Egress" in spec.policy_types else None,
    )


def _rule(namespace: str, peers: list[_PolicyPeer] | None, ports: list[_PolicyPort] | None) -> Rule:
    return Rule(tuple(_peer(namespace, each) for each in peers or ()), tuple(_port(each) for each in ports or ()))


def _peer(namespace: str, peer: _PolicyPeer) -> Block | Selected:
    if peer.ip_block is not None:
        return Block(peer.ip_block.cidr, tuple(peer.ip_block.excepts or ()))
    pods = selector.from_object(peer.pod_selector) or ()
    if peer.namespace_selector is None:
        return Selected(namespace, (), pods)
    return Selected("", selector.from_object(peer.namespace_selector) or (), pods)


def _port(port: _PolicyPort) -> Port:
    if isinstance(port.port, str):
        return Port(port.protocol, name=port.port)
    return Port(port.protocol, port.port, port.end or port.port)
