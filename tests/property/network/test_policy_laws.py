"""Laws of NetworkPolicies: changes one by one lead where the whole leads, and packets fare as the documentation says."""

from __future__ import annotations

import ipaddress
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from cybernetes.model import selector
from cybernetes.network.objects import Node
from cybernetes.network.policy.ledger import Delta, Ledger
from cybernetes.network.policy.objects import Namespace, Pod, Policy, decode_namespace, decode_pod, decode_policy
from cybernetes.network.policy.rows import Block, Pool, Row
from cybernetes.network.policy.state import Direction, State, known_name, map_name, ranges_name, starting_chain

NODE = "n1"
RANGES = ("10.244.1.0/24", "fd01::/64")
NAMESPACES = ("red", "blue")
NAMES = ("a", "b", "c")
PORTS = (80, 443, 8080)
PROTOCOLS = ("TCP", "UDP")
OUTSIDE = ("203.0.113.9", "2001:db8::9")
# In this node's ranges, of pods that nobody has told of yet.
UNKNOWN = ("10.244.1.99", "fd01::99")

labels = st.fixed_dictionaries({}, optional={"app": st.sampled_from(["web", "db"]), "tier": st.just("x")})
selectors: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    labels.map(lambda chosen: {"matchLabels": chosen}),
    st.sampled_from(["Exists", "DoesNotExist"]).map(lambda op: {"matchExpressions": [{"key": "tier", "operator": op}]}),
)
blocks = st.sampled_from(
    [
        {"cidr": "10.244.0.0/16"},
        {"cidr": "10.244.0.0/16", "except": ["10.244.1.0/30", "10.244.1.0/29"]},
        {"cidr": "0.0.0.0/0", "except": ["10.244.0.0/16"]},
        {"cidr": "2001:db8::/32"},
    ]
)
peers = st.one_of(
    selectors.map(lambda pods: {"podSelector": pods}),
    selectors.map(lambda spaces: {"namespaceSelector": spaces}),
    st.tuples(selectors, selectors).map(lambda both: {"podSelector": both[0], "namespaceSelector": both[1]}),
    blocks.map(lambda block: {"ipBlock": block}),
)
ports = st.one_of(
    st.builds(lambda protocol: {"protocol": protocol}, st.sampled_from(PROTOCOLS)),
    st.builds(lambda protocol, port: {"protocol": protocol, "port": port}, st.sampled_from(PROTOCOLS), st.sampled_from([*PORTS, "http"])),
    st.just({"protocol": "TCP", "port": 100, "endPort": 9000}),
)  # fmt: skip


@st.composite
def rules(draw: st.DrawFn, side: str) -> list[dict[str, Any]]:
    return draw(
        st.lists(
            st.fixed_dictionaries(
                {}, optional={side: st.lists(peers, max_size=2), "ports": st.lists(ports, min_size=1, max_size=3)}
            ),
            max_size=2,
        )
    )


@st.composite
def policies(draw: st.DrawFn, namespace: str, name: str) -> dict[str, Any]:
    spec = {
        "podSelector": draw(selectors),
        "policyTypes": draw(st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]])),
        "ingress": draw(rules("from")),
        "egress": draw(rules("to")),
    }
    return {"metadata": {"namespace": namespace, "name": name}, "spec": spec}


@st.composite
def pods(draw: st.DrawFn, namespace: str, name: str) -> dict[str, Any]:
    number = NAMESPACES.index(namespace) * len(NAMES) + NAMES.index(name) + 1
    # Now and then an address that another pod may have, too: it is given on before its former pod is gone.
    address = draw(st.sampled_from([f"10.244.1.{number}", f"10.244.1.{number}", "10.244.1.1"]))
    addresses = draw(st.sampled_from([[], [address], [address, f"fd01::{number}"]]))
    port = {"name": "http", "containerPort": draw(st.sampled_from(PORTS)), "protocol": draw(st.sampled_from(PROTOCOLS))}
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": draw(labels)},
        "spec": {"nodeName": draw(st.sampled_from([NODE, NODE, "n2"])), "containers": [{"ports": [port]}]},
        "status": {
            "phase": draw(st.sampled_from(["Running", "Running", "Failed"])),
            "podIPs": [{"ip": each} for each in addresses],
        },
    }


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, str, dict[str, Any] | None]]:
    """(kind, key, object or None where it is deleted), some of which say again what was said."""
    steps: list[tuple[str, str, dict[str, Any] | None]] = []
    for _ in range(draw(st.integers(1, 14))):
        kind = draw(st.sampled_from(["namespace", "pod", "pod", "pod", "policy", "policy"]))
        namespace, name = draw(st.sampled_from(NAMESPACES)), draw(st.sampled_from(NAMES))
        key = namespace if kind == "namespace" else f"{namespace}/{name}"
        if draw(st.integers(0, 4)) == 0:
            steps.append((kind, key, None))
        elif kind == "namespace":
            steps.append((kind, key, {"metadata": {"name": namespace, "labels": draw(labels)}}))
        else:
            steps.append((kind, key, draw((pods if kind == "pod" else policies)(namespace, name))))
    return steps


class World:
    """What an informer would hand on: values by key, and only what differs."""

    def __init__(self) -> None:
        self.state = State(NODE)
        self.state.reduce_node(NODE, None, Node(NODE, RANGES))
        self.pods: dict[str, Pod] = {}
        self.namespaces: dict[str, Namespace] = {}
        self.policies: dict[str, Policy] = {}

    def step(self, kind: str, key: str, body: dict[str, Any] | None) -> None:
        there, decode, reduce = {
            "pod": (self.pods, decode_pod, self.state.reduce_pod),
            "namespace": (self.namespaces, decode_namespace, self.state.reduce_namespace),
            "policy": (self.policies, decode_policy, self.state.reduce_policy),
        }[kind]
        old = there.get(key)  # type: ignore[attr-defined]
        new = decode(orjson.dumps(body)) if body is not None else None
        if old == new:
            return
        if new is None:
            del there[key]  # type: ignore[attr-defined]
        else:
            there[key] = new  # type: ignore[index]
        reduce(key, old, new)  # type: ignore[operator]


class Kernel:
    """A table that scripts changed, as strict as nf_tables: nothing twice, nothing that is used goes."""

    def __init__(self) -> None:
        self.sets: dict[str, dict[str, str]] = {}
        self.chains: dict[str, tuple[Row | str, ...]] = {}

    def change(self, delta: Delta) -> None:
        for name in delta.new_sets:
            assert name not in self.sets
            self.sets[name] = {}
        for name, element in delta.gone:
            del self.sets[name][element]
        self.chains.update(delta.chains)
        for name, element, leads_to in delta.added:
            assert element not in self.sets[name]
            self.sets[name][element] = leads_to
        for name in delta.gone_chains:
            del self.chains[name]
        for name in delta.gone_sets:
            assert not self.sets.pop(name)
        used = {leads_to for elements in self.sets.values() for leads_to in elements.values() if leads_to}
        used |= {row.removeprefix("jump ") for rows in self.chains.values() for row in rows if isinstance(row, str)}
        assert used - {"drop"} <= set(self.chains)
        for rows in self.chains.values():
            for row in rows:
                assert isinstance(row, str) or {pool.name for pool in row.pools()} <= set(self.sets)

    def passes(self, source: str, target: str, protocol: str, port: int) -> bool:
        family = ipaddress.ip_address(source).version
        out = self.sets[map_name("egress", family)].get(source)
        into = self.sets[map_name("ingress", family)].get(target)
        if f"{source} . {target}" in self.sets[f"itself{family}"]:
            return True
        if self._waits("egress", source) or self._waits("ingress", target):
            return False
        packet = (source, target, protocol, port)
        return (not out or self._accepts(out, packet, target)) and (not into or self._accepts(into, packet, source))

    def _waits(self, direction: Direction, address: str) -> bool:
        family = ipaddress.ip_address(address).version
        known = address in self.sets[known_name(family)]
        of_node = any(within(address, Block(each)) for each in self.sets[ranges_name(family)])
        return of_node and not known and self.chains[starting_chain(direction)] == ("drop",)

    def _accepts(self, chain: str, packet: tuple[str, str, str, int], other: str) -> bool:
        for row in self.chains[chain]:
            if row == "drop":
                return False
            if isinstance(row, str):
                if self._accepts(row.removeprefix("jump "), packet, other):
                    return True
            elif self._row_accepts(row, packet, other):
                return True
        return False

    def _row_accepts(self, row: Row, packet: tuple[str, str, str, int], other: str) -> bool:
        _, target, protocol, port = packet
        if row.family and ipaddress.ip_address(other).version != row.family:
            return False
        if isinstance(row.peer, Pool) and other not in self.sets[row.peer.name]:
            return False
        if isinstance(row.peer, Block) and not within(other, row.peer):
            return False
        if row.named is not None:
            return f"{target} . {protocol.lower()} . {port}" in self.sets[row.named.name]
        if row.protocol and row.protocol != protocol:
            return False
        return not row.ports or any(first <= port <= last for first, last in row.ports)


def within(address: str, block: Block) -> bool:
    def inside(cidr: str) -> bool:
        network = ipaddress.ip_network(cidr, strict=False)
        return ipaddress.ip_address(address).version == network.version and ipaddress.ip_address(address) in network

    return inside(block.cidr) and not any(inside(each) for each in block.excepts)


def should_pass(
    world: World, bodies: dict[str, dict[str, Any]], source: str, target: str, protocol: str, port: int
) -> bool:
    """By the documentation, from the objects as they were written, without any of the code that is tested."""

    def having(address: str) -> list[Pod]:
        return [pod for pod in world.pods.values() if address in pod.addresses]

    def fits(chosen: dict[str, Any], labels: dict[str, str]) -> bool:
        return selector.matcher(selector.from_object(chosen))(labels)

    def peer_fits(peer: dict[str, Any], namespace: str, address: str) -> bool:
        if "ipBlock" in peer:
            return within(address, Block(peer["ipBlock"]["cidr"], tuple(peer["ipBlock"].get("except", ()))))
        for pod in having(address):
            known = world.namespaces.get(pod.namespace)
            near = pod.namespace == namespace
            if "namespaceSelector" in peer:
                asks_for_nothing = not selector.from_object(peer["namespaceSelector"])
                near = asks_for_nothing or (known is not None and fits(peer["namespaceSelector"], known.labels))
            if near and fits(peer.get("podSelector", {}), pod.labels):
                return True
        return False

    def port_fits(entry: dict[str, Any], receivers: list[Pod]) -> bool:
        if entry["protocol"] != protocol:
            return False
        if entry.get("port") == "http":
            return any(each.protocol == protocol and each.port == port for pod in receivers for each in pod.ports)
        return "port" not in entry or entry["port"] <= port <= entry.get("endPort", entry["port"])

    def rule_fits(rule: dict[str, Any], side: str, namespace: str, other: str, receivers: list[Pod]) -> bool:
        if rule.get("ports") and not any(port_fits(each, receivers) for each in rule["ports"]):
            return False
        return not rule.get(side) or any(peer_fits(each, namespace, other) for each in rule[side])

    def policies_of(pod: Pod, kind: str) -> list[dict[str, Any]]:
        return [
            body
            for key, body in bodies.items()
            if world.policies[key].namespace == pod.namespace
            and kind in body["spec"]["policyTypes"]
            and fits(body["spec"]["podSelector"], pod.labels)
        ]

    def allowed(pod: Pod, kind: str, other: str) -> bool:
        selecting = policies_of(pod, kind)
        side = "from" if kind == "Ingress" else "to"
        receivers = [pod] if kind == "Ingress" else having(target)
        return not selecting or any(
            rule_fits(rule, side, pod.namespace, other, receivers)
            for body in selecting
            for rule in body["spec"][kind.lower()]
        )

    def closed_for_unknown(address: str, kind: str) -> bool:
        """A policy's pod is about to start here, and this could be its address."""
        coming = [pod for pod in world.pods.values() if pod.node == NODE and pod.starting]
        known = any(each.node == NODE for each in having(address))
        in_range = any(within(address, Block(each)) for each in RANGES)
        return in_range and not known and any(policies_of(pod, kind) for pod in coming)

    if closed_for_unknown(source, "Egress") or closed_for_unknown(target, "Ingress"):
        return False
    if source == target:
        return True
    senders = [each for each in having(source) if each.node == NODE]
    receivers = [each for each in having(target) if each.node == NODE]
    return all(allowed(each, "Egress", target) for each in senders) and all(
        allowed(each, "Ingress", source) for each in receivers
    )


def alone(pods: dict[str, Pod], address: str) -> bool:
    """Of an address that two pods have at once nobody knows whose packets are meant."""
    return sum(address in pod.addresses for pod in pods.values()) <= 1


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(1, 4))
def test_step_by_step_leads_where_the_whole_leads_and_packets_fare_as_documented(
    history: list[tuple[str, str, dict[str, Any] | None]], told_every: int
) -> None:
    world, kernel = World(), Kernel()
    bodies: dict[str, dict[str, Any]] = {}
    kernel.change(world.state.ledger.everything())
    for number, (kind, key, body) in enumerate(history):
        world.step(kind, key, body)
        if kind == "policy":
            bodies.pop(key, None)
            if body is not None:
                bodies[key] = body
        if number % told_every == 0:
            kernel.change(world.state.ledger.changes())
    kernel.change(world.state.ledger.changes())
    assert not world.state.ledger.changes()
    fresh = Kernel()
    fresh.change(world.state.ledger.everything())
    assert (fresh.sets, fresh.chains) == (kernel.sets, kernel.chains)
    addresses = {each for pod in world.pods.values() for each in pod.addresses if alone(world.pods, each)}
    ends = sorted({*addresses, *OUTSIDE, *UNKNOWN})
    for source in ends:
        for target in ends:
            if ipaddress.ip_address(source).version != ipaddress.ip_address(target).version:
                continue
            for protocol in PROTOCOLS:
                for port in PORTS:
                    expected = should_pass(world, bodies, source, target, protocol, port)
                    assert kernel.passes(source, target, protocol, port) == expected, (source, target, protocol, port)


def test_a_ledger_that_was_told_everything_counts_from_there() -> None:
    ledger = Ledger()
    ledger.open_set("pods4-x")
    ledger.put("pods4-x", "10.0.0.1")
    assert ledger.everything() == Delta(("pods4-x",), added=(("pods4-x", "10.0.0.1", ""),))
    ledger.take("pods4-x", "10.0.0.1")
    ledger.put("pods4-x", "10.0.0.1")
    assert not ledger.changes()


def test_a_pod_is_closed_from_its_first_packet_on() -> None:
    """Its address is in use before it is known whose it is; others of the node may be, too."""
    world, kernel = World(), Kernel()
    nobody = {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]}
    world.step("policy", "red/nobody", {"metadata": {"namespace": "red", "name": "nobody"}, "spec": nobody})
    starting: dict[str, Any] = {
        "metadata": {"namespace": "red", "name": "new", "labels": {"app": "db"}},
        "spec": {"nodeName": NODE},
        "status": {"phase": "Pending"},
    }
    world.step("pod", "red/new", starting)
    kernel.change(world.state.ledger.everything())
    assert not kernel.passes("203.0.113.9", "10.244.1.7", "TCP", 80)
    assert kernel.passes("10.244.1.7", "203.0.113.9", "TCP", 80), "nothing is said of what it sends"
    world.step("pod", "red/new", {**starting, "status": {"phase": "Running", "podIPs": [{"ip": "10.244.1.7"}]}})
    kernel.change(world.state.ledger.changes())
    assert not kernel.passes("203.0.113.9", "10.244.1.7", "TCP", 80)
    assert kernel.passes("203.0.113.9", "10.244.1.8", "TCP", 80)


def test_an_address_that_two_pods_had_stays_closed_for_the_one_that_is_left() -> None:
    world, kernel = World(), Kernel()
    nobody = {"podSelector": {}, "policyTypes": ["Ingress"]}
    world.step("policy", "red/nobody", {"metadata": {"namespace": "red", "name": "nobody"}, "spec": nobody})
    for name in ("first", "second"):
        body = {
            "metadata": {"namespace": "red", "name": name},
            "spec": {"nodeName": NODE},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.244.1.1"}]},
        }
        world.step("pod", f"red/{name}", body)
    kernel.change(world.state.ledger.everything())
    world.step("pod", "red/second", None)
    kernel.change(world.state.ledger.changes())
    assert not kernel.passes("203.0.113.9", "10.244.1.1", "TCP", 80)
    world.step("pod", "red/first", None)
    kernel.change(world.state.ledger.changes())
    assert kernel.passes("203.0.113.9", "10.244.1.1", "TCP", 80)
