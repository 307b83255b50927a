"""Policies, pods and namespaces, and the table that follows from them. Pure.

Each policy has a chain a direction. Each combination of policies that some pod of this node has is a chain that asks
theirs in turn, and a map leads from a pod's address to the chain of its combination.

A pod has its address some time before it is known whose that is. So while a pod that some policy selects is about to
start here, addresses of this node's ranges that are no known pod's are closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal

from cybernetes.model import selector
from cybernetes.network.objects import Node
from cybernetes.network.policy.ledger import Ledger
from cybernetes.network.policy.objects import Namespace, Pod, Policy, Rule, Selected
from cybernetes.network.policy.pools import Labels, Pools, family_of
from cybernetes.network.policy.rows import FAMILIES, Pool, Row, egress_rows, ingress_rows, short

Direction = Literal["ingress", "egress"]
DIRECTIONS: tuple[Direction, ...] = ("ingress", "egress")


def map_name(direction: Direction, family: int) -> str:
    """The map from addresses of this node's pods to chains."""
    return f"{direction}{family}"


def itself_name(family: int) -> str:
    """The set of pairs (address, the same address) of isolated pods: what a pod sends to itself always passes."""
    return f"itself{family}"


def ranges_name(family: int) -> str:
    """The set of ranges that this node's pods have their addresses from."""
    return f"ranges{family}"


def known_name(family: int) -> str:
    """The set of addresses of this node's pods."""
    return f"known{family}"


def starting_chain(direction: Direction) -> str:
    """Decides over addresses that are no known pod's."""
    return f"starting-{direction}"


def policy_chain(direction: Direction, key: str) -> str:
    return f"policy-{direction}-{short(key)}"


class State:
    """node: whose pods' packets are filtered here. ledger: what the kernel should hold."""

    def __init__(self, node: str) -> None:
        self.ledger = Ledger()
        self._node = node
        self._pools = Pools(self.ledger)
        self._policies: dict[str, Policy] = {}
        self._policies_in: dict[str, dict[str, None]] = {}
        self._pods: dict[str, Pod] = {}
        self._pods_in: dict[str, dict[str, None]] = {}
        self._namespaces: dict[str, Labels] = {}
        # By pod and direction the chain of its combination; by chain how many pods have it.
        self._chain_of: dict[tuple[str, Direction], str] = {}
        self._users: Counter[str] = Counter()
        # By address the chains of the pods that have it: one may be given on before the pod that had it is gone.
        self._chains_at: dict[tuple[Direction, str], dict[str, str]] = {}
        # By address the pods of this node that have it; by direction those that will be closed and have none yet.
        self._known_at: dict[str, dict[str, None]] = {}
        self._starting: dict[Direction, set[str]] = {}
        for family in FAMILIES:
            for name in (itself_name(family), ranges_name(family), known_name(family)):
                self.ledger.open_set(name)
            for direction in DIRECTIONS:
                self.ledger.open_set(map_name(direction, family))
        for direction in DIRECTIONS:
            self._starting[direction] = set()
            self.ledger.write(starting_chain(direction), ())

    @property
    def has_policies(self) -> bool:
        return bool(self._policies)

    def reduce_node(self, key: str, old: Node | None, new: Node | None) -> None:
        """Of this node alone."""
        before, after = (each.pod_ranges if each is not None else () for each in (old, new))
        for text in before:
            if text not in after:
                self.ledger.take(ranges_name(family_of(text)), text)
        for text in after:
            if text not in before:
                self.ledger.put(ranges_name(family_of(text)), text)

    def reduce_policy(self, key: str, old: Policy | None, new: Policy | None) -> None:
        if new is not None:
            self._policies[key] = new
            self._policies_in.setdefault(new.namespace, {})[key] = None
        elif old is not None:
            del self._policies[key]
            _discard(self._policies_in, old.namespace, key)
        for direction in DIRECTIONS:
            self._write(policy_chain(direction, key), _rows(new, direction))
        for pod in sorted({*self._selected_by(old), *self._selected_by(new)}):
            self._isolate(pod)

    def reduce_pod(self, key: str, old: Pod | None, new: Pod | None) -> None:
        namespace = key.partition("/")[0]
        self._pools.pod_changed(old, new, self._namespaces.get(namespace))
        self._know(key, old, new)
        if old is not None and (new is None or new.addresses != old.addresses):
            for direction in DIRECTIONS:
                self._lead(key, old, direction, ())
        if new is None:
            for direction in DIRECTIONS:
                self._expect(key, direction, False)
            del self._pods[key]
            _discard(self._pods_in, namespace, key)
            return
        self._pods[key] = new
        self._pods_in.setdefault(namespace, {})[key] = None
        self._isolate(key)

    def reduce_namespace(self, key: str, old: Namespace | None, new: Namespace | None) -> None:
        before, after = (each.labels if each is not None else None for each in (old, new))
        self._pools.namespace_changed([self._pods[each] for each in self._pods_in.get(key, ())], before, after)
        if after is None:
            del self._namespaces[key]
        else:
            self._namespaces[key] = after

    def _selected_by(self, policy: Policy | None) -> Iterator[str]:
        if policy is None:
            return
        fits = selector.matcher(policy.subjects.pods)
        for key in self._pods_in.get(policy.namespace, ()):
            if fits(self._pods[key].labels):
                yield key

    def _write(self, chain: str, rows: tuple[Row, ...] | None) -> None:
        """New pools before old ones go: one that both use stays."""
        before = self.ledger.chains.get(chain, ())
        for pool in _pools_of(rows or ()):
            self._pools.use(pool, self._candidates(pool.pods))
        for pool in _pools_of(before):
            self._pools.leave(pool)
        if rows is None:
            self.ledger.drop(chain)
        else:
            self.ledger.write(chain, rows)

    def _candidates(self, selected: Selected) -> Iterator[tuple[Pod, Labels | None]]:
        keys = self._pods_in.get(selected.namespace, ()) if selected.namespace else self._pods
        for key in keys:
            pod = self._pods[key]
            yield pod, self._namespaces.get(pod.namespace)

    def _isolate(self, key: str) -> None:
        """Only of this node's pods; one that came anew under the same name may be on another by now."""
        pod = self._pods[key]
        selecting = list(self._selecting(pod)) if pod.node == self._node else []
        for direction in DIRECTIONS:
            asked = [each for each in selecting if _rules(self._policies[each], direction) is not None]
            self._expect(key, direction, bool(asked) and pod.starting)
            self._lead(key, pod, direction, tuple(policy_chain(direction, each) for each in asked))

    def _expect(self, key: str, direction: Direction, closed: bool) -> None:
        """Whether a pod is about to get an address that has to be closed from the first packet on."""
        starting = self._starting[direction]
        before = bool(starting)
        if closed:
            starting.add(key)
        else:
            starting.discard(key)
        if before != bool(starting):
            self.ledger.write(starting_chain(direction), ("drop",) if starting else ())

    def _know(self, key: str, old: Pod | None, new: Pod | None) -> None:
        before, after = (each.addresses if each is not None and each.node == self._node else () for each in (old, new))
        for address in before:
            if address not in after:
                _discard(self._known_at, address, key)
                if address not in self._known_at:
                    self.ledger.take(known_name(family_of(address)), address)
        for address in after:
            self._known_at.setdefault(address, {})[key] = None
            self.ledger.put(known_name(family_of(address)), address)

    def _selecting(self, pod: Pod) -> Iterator[str]:
        for key in sorted(self._policies_in.get(pod.namespace, ())):
            if selector.matcher(self._policies[key].subjects.pods)(pod.labels):
                yield key

    def _lead(self, key: str, pod: Pod, direction: Direction, asked: tuple[str, ...]) -> None:
        """Have the chains in `asked` decide over the pod's packets; () opens it."""
        wanted = f"{direction}-{short(' '.join(asked))}" if asked and pod.addresses else ""
        before = self._chain_of.get((key, direction), "")
        if wanted == before:
            return
        if wanted:
            self.ledger.write(wanted, (*(f"jump {each}" for each in asked), "drop"))
            self._users[wanted] += 1
            self._chain_of[key, direction] = wanted
        else:
            del self._chain_of[key, direction]
        for address in pod.addresses:
            self._point(key, direction, address, wanted)
        if before:
            self._unuse(before)

    def _point(self, key: str, direction: Direction, address: str, chain: str) -> None:
        """Of several pods with one address the last one's chain decides, and when it goes that of who is left."""
        family = family_of(address)
        chains = self._chains_at.setdefault((direction, address), {})
        chains.pop(key, None)
        if chain:
            chains[key] = chain
        if chains:
            self.ledger.put(map_name(direction, family), address, next(reversed(chains.values())))
        else:
            del self._chains_at[direction, address]
            self.ledger.take(map_name(direction, family), address)
        pair = f"{address} . {address}"
        if any((each, address) in self._chains_at for each in DIRECTIONS):
            self.ledger.put(itself_name(family), pair)
        else:
            self.ledger.take(itself_name(family), pair)

    def _unuse(self, chain: str) -> None:
        self._users[chain] -= 1
        if not self._users[chain]:
            del self._users[chain]
            self.ledger.drop(chain)


def _rules(policy: Policy, direction: Direction) -> tuple[Rule, ...] | None:
    return policy.ingress if direction == "ingress" else policy.egress


def _rows(policy: Policy | None, direction: Direction) -> tuple[Row, ...] | None:
    if policy is None or _rules(policy, direction) is None:
        return None
    return ingress_rows(policy) if direction == "ingress" else egress_rows(policy)


def _pools_of(chain: tuple[Row | str, ...]) -> Iterator[Pool]:
    for row in chain:
        if isinstance(row, Row):
            yield from row.pools()


def _discard(index: dict[str, dict[str, None]], value: str, key: str) -> None:
    keys = index[value]
    del keys[key]
    if not keys:
        del index[value]
