"""The scheduler's picture of the cluster: what informers report, folded into columns and queue.

enters   old and new values of pods, nodes, namespaces, budgets, owners
leaves   columns and nominations that decisions read; a queue of pods to decide about
holds    a pod that was assumed on a node stays there until the API server says otherwise or its binding failed
"""

from __future__ import annotations

from collections.abc import Iterable

from cybernetes.base.clock import Clock
from cybernetes.scheduler.columns import Columns
from cybernetes.scheduler.hints import Change, Kind
from cybernetes.scheduler.nominations import Nominations
from cybernetes.scheduler.objects import NamespaceObject, NodeObject
from cybernetes.scheduler.placed import Placed
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.queue import SchedulingQueue


class ClusterState:
    def __init__(self, clock: Clock, queue: SchedulingQueue, scheduler_names: Iterable[str]) -> None:
        self.columns = Columns()
        self.nominations = Nominations()
        self.queue = queue
        self._clock = clock
        self._names = frozenset(scheduler_names)
        # Pods that are counted on a node, assumed ones included.
        self._placed = Placed()
        self._assumed: set[str] = set()

    def on_node(self, key: str, old: NodeObject | None, new: NodeObject | None) -> None:
        if new is None:
            self.columns.remove_node(key)
            self._changed(Change(Kind.NODE_GONE, old))
        elif self.columns.put_node(new):
            self._changed(Change(Kind.NODE_CHANGED if old is not None else Kind.NODE_ADDED, old, new))

    def on_namespace(self, key: str, old: NamespaceObject | None, new: NamespaceObject | None) -> None:
        labels = None if new is None else new.metadata.labels or {}
        if self.columns.tallies.put_namespace(key, labels):
            self._changed(Change(Kind.NAMESPACE, old, new))

    def on_pod(self, key: str, old: PodEntry | None, new: PodEntry | None) -> None:
        known = self._placed.get(key)
        if known is not None and new is not None and known.uid != new.uid:
            # A list after a break in the watch: the old pod's end was not seen.
            self._forget(key)
        if new is None or new.finished:
            self._forget(key)
        elif new.node_name:
            self._settle(new)
        elif key not in self._assumed:
            self._wait(new)

    def assume(self, pod: PodEntry, node_name: str) -> None:
        """Count the pod on the node from now on, before the API server has said so."""
        self.columns.add_pod(pod, node_name)
        self._assume(pod, node_name)

    def assume_counted(self, pod: PodEntry, row: int) -> None:
        """The same for a pod whose room is counted already."""
        self.columns.add_counted(pod, row)
        self._assume(pod, self.columns.names[row])

    def _assume(self, pod: PodEntry, node_name: str) -> None:
        self._placed.put(pod)
        self._assumed.add(pod.key)
        pod.node_name = node_name
        self.nominations.remove(pod.key)

    def forget_assumed(self, pod: PodEntry) -> bool:
        """The binding failed: take the pod off its node; says whether it was still assumed."""
        if pod.key not in self._assumed or self._placed.get(pod.key) is not pod:
            return False
        self._assumed.discard(pod.key)
        self._placed.pop(pod.key)
        self.columns.remove_pod(pod, pod.node_name)
        pod.node_name = ""
        self._changed(Change(Kind.POD_GONE, pod))
        return True

    def unassume(self, pod: PodEntry) -> None:
        """As if it had not been assumed: nobody was told, and nothing became free that was not before."""
        self._assumed.discard(pod.key)
        self._placed.pop(pod.key)
        self.columns.remove_pod(pod, pod.node_name)
        pod.node_name = ""

    def group_size(self, group: str) -> int:
        """How many pods of a pod group have a node."""
        return self._placed.group_size(group)

    def on_other(self, kind: Kind, name: str = "") -> None:
        """A storage object, volume claim or device changed."""
        self._changed(Change(kind, name=name))

    def note_evicted(self, victim: PodEntry) -> None:
        """Its deletion was accepted; that it is on its way may be seen later only."""
        known = self._placed.get(victim.key)
        if known is not None and known.uid == victim.uid:
            known.evicted = True

    def is_leaving(self, victim: PodEntry) -> bool:
        """Whether an evicted pod is still on its node, as far as is known."""
        known = self._placed.get(victim.key)
        return known is not None and known.uid == victim.uid

    def is_assumed(self, key: str) -> bool:
        return key in self._assumed

    def _settle(self, new: PodEntry) -> None:
        """A pod that has a node."""
        known = self._placed.get(new.key)
        self._assumed.discard(new.key)
        self.queue.remove(new.key)
        self.nominations.remove(new.key)
        if known is None:
            self._place(new)
            self._changed(Change(Kind.POD_ADDED, None, new, self._labels(new)))
            return
        new.evicted = known.evicted
        if _asks_alike(known, new):
            # The common cases: a change of status, and labels of the node's zone that a binding puts on the pod.
            self.columns.relabel_pod(known, new)
            self._placed.put(new)
            if known.label_set is new.label_set:
                return
        else:
            self.columns.remove_pod(known, known.node_name)
            self._place(new)
        self._changed(Change(Kind.POD_CHANGED, known, new, self._labels(new)))

    def _place(self, new: PodEntry) -> None:
        self.columns.add_pod(new, new.node_name)
        self._placed.put(new)

    def _forget(self, key: str) -> None:
        self.queue.remove(key)
        self.nominations.remove(key)
        self._assumed.discard(key)
        gone = self._placed.pop(key)
        if gone is not None:
            self.columns.remove_pod(gone, gone.node_name)
            self._changed(Change(Kind.POD_GONE, gone, None, self._labels(gone)))

    def _wait(self, new: PodEntry) -> None:
        """A pod without a node."""
        if new.shape.spec.scheduler_name not in self._names:
            return
        if new.nominated:
            self.nominations.put(new, new.nominated)
        else:
            self.nominations.remove(new.key)
        self.queue.add(new, self._clock.monotonic())

    def _changed(self, change: Change) -> None:
        self.queue.on_change(change, self._clock.monotonic())

    def _labels(self, pod: PodEntry) -> dict[str, str]:
        return self.columns.tallies.namespace_labels(pod.namespace)


def _asks_alike(old: PodEntry, new: PodEntry) -> bool:
    return old.node_name == new.node_name and old.shape is new.shape and old.uid == new.uid
