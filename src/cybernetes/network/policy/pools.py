"""Sets that follow the pods which selectors fit. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from cybernetes.model import selector
from cybernetes.network.policy.ledger import Ledger
from cybernetes.network.policy.objects import Pod
from cybernetes.network.policy.rows import Pool

Labels = Mapping[str, str]


class Pools:
    """Those that rows look into, each as long as some row does.

    A namespace's labels are None while the namespace is not known: a selector that asks for labels doesn't fit it then.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._filled: dict[Pool, _Filled] = {}

    def use(self, pool: Pool, candidates: Iterable[tuple[Pod, Labels | None]]) -> None:
        """One more row looks into it. candidates: every pod that there is, at least of the namespace that it is about."""
        filled = self._filled.get(pool)
        if filled is None:
            filled = self._filled[pool] = _Filled(pool)
            self._ledger.open_set(pool.name)
            for pod, labels in candidates:
                self._move(filled, (), filled.brought_by(pod, labels))
        filled.users += 1

    def leave(self, pool: Pool) -> None:
        filled = self._filled[pool]
        filled.users -= 1
        if not filled.users:
            del self._filled[pool]
            self._ledger.close_set(pool.name)

    def pod_changed(self, old: Pod | None, new: Pod | None, labels: Labels | None) -> None:
        for filled in self._filled.values():
            before = filled.brought_by(old, labels) if old is not None else ()
            self._move(filled, before, filled.brought_by(new, labels) if new is not None else ())

    def namespace_changed(self, pods: Iterable[Pod], before: Labels | None, after: Labels | None) -> None:
        """pods: those in it."""
        for pod in pods:
            for filled in self._filled.values():
                self._move(filled, filled.brought_by(pod, before), filled.brought_by(pod, after))

    def _move(self, filled: _Filled, before: Iterable[str], after: Iterable[str]) -> None:
        change = Counter(after)
        change.subtract(before)
        for element, by in change.items():
            filled.count[element] += by
            if not filled.count[element]:
                del filled.count[element]
                self._ledger.take(filled.pool.name, element)
            elif by:
                self._ledger.put(filled.pool.name, element)


class _Filled:
    """count: how many pods bring an element; two have one address for a moment when it is given on."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.users = 0
        self.count: Counter[str] = Counter()
        self._pods = selector.matcher(pool.pods.pods)
        self._namespaces = selector.matcher(pool.pods.namespaces)

    def brought_by(self, pod: Pod, labels: Labels | None) -> Iterator[str]:
        if not self._fits(pod, labels):
            return
        for address in pod.addresses:
            if family_of(address) != self.pool.family:
                continue
            if not self.pool.port:
                yield address
            for port in pod.ports:
                if port.name == self.pool.port and port.protocol == self.pool.protocol:
                    yield f"{address} . {port.protocol.lower()} . {port.port}"

    def _fits(self, pod: Pod, labels: Labels | None) -> bool:
        namespace = self.pool.pods.namespace
        if namespace:
            return namespace == pod.namespace and self._pods(pod.labels)
        # One that asks for nothing fits namespaces that are not known yet, too.
        known = self._namespaces(labels) if labels is not None else not self.pool.pods.namespaces
        return known and self._pods(pod.labels)


def family_of(address: str) -> int:
    return 6 if ":" in address else 4
