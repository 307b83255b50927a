"""The cluster as flat columns: one row a node, one array a property, kept up to date event by event.

enters   nodes and pods as they appear, change and go
leaves   arrays for the kernels, indexed by row; a row keeps its number while its node lives
holds    an event costs as much as it changes, never as much as the cluster is large;
         a pod on a node that is not known yet is counted, and the node is there once it appears
units    cpu in milli, everything else whole (bytes, counts)
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from statistics import median_high

from cybernetes.scheduler.objects import NodeObject, Taint
from cybernetes.scheduler.pods import PodEntry
from cybernetes.scheduler.requests import AMOUNT_MAX, CPU, EPHEMERAL, MEMORY, PODS, amounts
from cybernetes.scheduler.residents import Residents
from cybernetes.scheduler.tallies import Tallies

# Resource ids with a fixed place; the scored ones count containers without a request with their defaults.
ID_PODS, ID_CPU, ID_MEMORY, ID_EPHEMERAL, ID_SCORED_CPU, ID_SCORED_MEMORY = range(6)
SCORED_CPU, SCORED_MEMORY = "cpu scored", "memory scored"
FIXED = (PODS, CPU, MEMORY, EPHEMERAL, SCORED_CPU, SCORED_MEMORY)

ROWS_FIRST = 64
# Changed rows that are remembered for caches of scores; a cache that fell behind further starts again.
JOURNAL_MAX = 65_536

HostPort = tuple[str, str, int]


class LabelColumn:
    """The values of one label key: `column[row]` is the id of the row's value, -1 where the label is absent."""

    __slots__ = ("column", "ids", "values")

    def __init__(self, stride: int) -> None:
        self.column = array("i", [-1]) * stride
        self.ids: dict[str, int] = {}
        self.values: list[str] = []

    def put(self, row: int, value: str | None) -> None:
        if value is None:
            self.column[row] = -1
            return
        found = self.ids.get(value)
        if found is None:
            found = self.ids[value] = len(self.values)
            self.values.append(value)
        self.column[row] = found

    def table(self, accepts: Callable[[str | None], bool]) -> array[int]:
        """1 for accepted values, 0 for others; element 0 speaks of absence."""
        return array("B", [accepts(None), *(accepts(value) for value in self.values)])


class Image:
    """One image name; `sizes` has what each node that has it said of it: row -> bytes."""

    __slots__ = ("sizes",)

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}

    def size_bytes(self) -> int:
        """The median, the upper of two. cost: linear in the nodes that have the image.

        The reference takes the size of whichever node it heard first. This one doesn't hang on who was first, and whether
        the image outweighs something else is decided as for at least half of the nodes.
        """
        return median_high(self.sizes.values())


class Columns:
    """All nodes and the pods on them; the only mutable state that decisions read."""

    def __init__(self) -> None:
        self.stride = ROWS_FIRST
        self.count = 0
        self.rows: dict[str, int] = {}
        self.names: list[str] = []
        self.nodes: list[NodeObject | None] = []
        self.pods: list[dict[str, PodEntry]] = []
        self.free: list[int] = []
        self.dead = array("B", [1]) * self.stride
        self.unschedulable = array("i", [0]) * self.stride
        self.resource_ids: dict[str, int] = {name: n for n, name in enumerate(FIXED)}
        self.allocatable = array("q", bytes(8 * self.stride * len(FIXED)))
        self.used = array("q", bytes(8 * self.stride * len(FIXED)))
        self.labels: dict[str, LabelColumn] = {}
        self.taint_ids: dict[tuple[Taint, ...], int] = {(): 0}
        self.taint_sets: list[tuple[Taint, ...]] = [()]
        self.taint_column = array("i", [0]) * self.stride
        self.images: dict[str, Image] = {}
        # (protocol, port) -> row -> address -> how many pods.
        self.ports: dict[tuple[str, int], dict[int, dict[str, int]]] = {}
        self.tallies = Tallies(self.stride)
        # None until somebody preempts.
        self._residents: Residents | None = None
        # Raised with every change of what nodes are (labels, taints, coming and going), of which images they have.
        self.version = 0
        self.image_version = 0
        # Rows whose resources changed, in order; `journal_base` is the position of the first one.
        self.journal = array("i")
        self.journal_base = 0

    # Nodes.

    def put_node(self, node: NodeObject) -> bool:
        """Add or change a node; says whether anything changed that a decision sees."""
        row = self._row(node.metadata.name)
        old = self.nodes[row]
        self.nodes[row] = node
        if old is None:
            self.count += 1
            self.dead[row] = 0
        changed = False
        if old is None or old.metadata.labels != node.metadata.labels or old.spec != node.spec:
            changed = True
            self.version += 1
            self.unschedulable[row] = 1 if node.spec.unschedulable else 0
            self._put_labels(row, node.metadata.labels or {})
            self.taint_column[row] = self._taint_id(tuple(node.spec.taints or ()))
        if old is None or old.status.allocatable != node.status.allocatable:
            changed = True
            self._put_allocatable(row, node)
        if old is None or old.status.images != node.status.images:
            changed = True
            self._put_images(row, old, node)
        return changed

    def remove_node(self, name: str) -> None:
        row = self.rows.get(name)
        if row is None or self.nodes[row] is None:
            return
        old = self.nodes[row]
        self.nodes[row] = None
        self.count -= 1
        self.dead[row] = 1
        self.version += 1
        self._put_labels(row, {})
        self._put_images(row, old, None)
        self.taint_column[row] = 0
        for resource in range(len(self.resource_ids)):
            self.allocatable[resource * self.stride + row] = 0
        self._forget_empty(row)

    def node(self, name: str) -> NodeObject | None:
        row = self.rows.get(name)
        return None if row is None else self.nodes[row]

    def label_column(self, key: str) -> LabelColumn:
        """The column of a label key; made on first use, because only keys that some pod names are needed."""
        found = self.labels.get(key)
        if found is None:
            found = self.labels[key] = LabelColumn(self.stride)
            for row, node in enumerate(self.nodes):
                if node is not None and node.metadata.labels:
                    found.put(row, node.metadata.labels.get(key))
        return found

    # Pods.

    def add_pod(self, pod: PodEntry, node_name: str) -> None:
        row = self._row(node_name)
        self.pods[row][pod.key] = pod
        self._account(pod, row, 1)
        if self._residents is not None:
            self._residents.add(pod, row, self._taken(pod))

    def add_counted(self, pod: PodEntry, row: int) -> None:
        """A pod whose room on the row is counted already."""
        self.pods[row][pod.key] = pod
        if pod.shape.ports:
            self._account_ports(pod.shape.ports, row, 1)
        self.tallies.account(pod, row, 1)
        self._changed(row)
        if self._residents is not None:
            self._residents.add(pod, row, self._taken(pod))

    def relabel_pod(self, old: PodEntry, new: PodEntry) -> None:
        """The same pod on the same node, asking for the same, under another label set."""
        row = self.rows[new.node_name]
        self.pods[row][new.key] = new
        if old.label_set is not new.label_set:
            self.tallies.account(old, row, -1)
            self.tallies.account(new, row, 1)
        if self._residents is not None:
            self._residents.change(new)

    def remove_pod(self, pod: PodEntry, node_name: str) -> None:
        row = self.rows.get(node_name)
        if row is None or self.pods[row].pop(pod.key, None) is None:
            return
        self._account(pod, row, -1)
        if self._residents is not None:
            self._residents.remove(pod.key, row)
        self._forget_empty(row)

    def put_in_order(self, row: int, order: Iterable[PodEntry]) -> None:
        """Have the pods of a row in this order, in which they came: it decides between equals."""
        pods = self.pods[row]
        self.pods[row] = {pod.key: pods[pod.key] for pod in order}
        if self._residents is not None:
            for pod in self.pods[row].values():
                self._residents.remove(pod.key, row)
                self._residents.add(pod, row, self._taken(pod))

    @property
    def residents(self) -> Residents:
        """The pods of all nodes as arrays; made at the first use, and kept up to date from then on."""
        found = self._residents
        if found is None:
            found = self._residents = Residents(self.stride, len(self.resource_ids))
            for row, pods in enumerate(self.pods):
                for pod in pods.values():
                    found.add(pod, row, self._taken(pod))
        return found

    def _taken(self, pod: PodEntry) -> list[tuple[int, int]]:
        return [(ID_PODS, 1), *((self.resource_ids[name], value) for name, value in pod.shape.requests.amounts)]

    def resource_id(self, name: str) -> int:
        found = self.resource_ids.get(name)
        if found is None:
            found = self.resource_ids[name] = len(self.resource_ids)
            more = bytes(8 * self.stride)
            self.allocatable.frombytes(more)
            self.used.frombytes(more)
        return found

    # Private.

    def _row(self, name: str) -> int:
        row = self.rows.get(name)
        if row is not None:
            return row
        if self.free:
            row = self.free.pop()
            self.names[row] = name
        else:
            row = len(self.names)
            if row == self.stride:
                self._grow()
            self.names.append(name)
            self.nodes.append(None)
            self.pods.append({})
        self.rows[name] = row
        return row

    def _forget_empty(self, row: int) -> None:
        if self.nodes[row] is None and not self.pods[row]:
            del self.rows[self.names[row]]
            self.names[row] = ""
            self.free.append(row)

    def _grow(self) -> None:
        old, self.stride = self.stride, self.stride * 2
        self.version += 1
        self.dead.extend([1] * old)
        self.unschedulable.extend([0] * old)
        self.taint_column.extend([0] * old)
        for label in self.labels.values():
            label.column.extend([-1] * old)
        self.allocatable = _restride(self.allocatable, old)
        self.used = _restride(self.used, old)
        self.tallies.stride = self.stride

    def _account(self, pod: PodEntry, row: int, sign: int) -> None:
        used, stride, requests = self.used, self.stride, pod.shape.requests
        used[ID_PODS * stride + row] += sign
        used[ID_SCORED_CPU * stride + row] += sign * requests.scored_cpu_milli
        used[ID_SCORED_MEMORY * stride + row] += sign * requests.scored_memory_bytes
        for name, value in requests.amounts:
            resource = self.resource_ids.get(name)
            if resource is None:
                resource = self.resource_id(name)
            self.used[resource * stride + row] += sign * value
        if pod.shape.ports:
            self._account_ports(pod.shape.ports, row, sign)
        self.tallies.account(pod, row, sign)
        self._changed(row)

    def _account_ports(self, ports: Iterable[HostPort], row: int, sign: int) -> None:
        for protocol, address, number in ports:
            rows = self.ports.setdefault((protocol, number), {})
            taken = rows.setdefault(row, {})
            taken[address] = taken.get(address, 0) + sign
            if taken[address] <= 0:
                del taken[address]
            if not taken:
                del rows[row]
            if not rows:
                del self.ports[protocol, number]

    def _changed(self, row: int) -> None:
        self.journal.append(row)
        if len(self.journal) > JOURNAL_MAX:
            half = len(self.journal) // 2
            self.journal_base += half
            del self.journal[:half]

    def _put_labels(self, row: int, labels: dict[str, str]) -> None:
        for key, column in self.labels.items():
            column.put(row, labels.get(key))

    def _taint_id(self, taints: tuple[Taint, ...]) -> int:
        found = self.taint_ids.get(taints)
        if found is None:
            found = self.taint_ids[taints] = len(self.taint_sets)
            self.taint_sets.append(taints)
        return found

    def _put_allocatable(self, row: int, node: NodeObject) -> None:
        found = amounts(node.status.allocatable)
        found[SCORED_CPU] = found.get(CPU, 0)
        found[SCORED_MEMORY] = found.get(MEMORY, 0)
        for name in found:
            self.resource_id(name)
        for name, resource in self.resource_ids.items():
            self.allocatable[resource * self.stride + row] = min(found.get(name, 0), AMOUNT_MAX)
        self._changed(row)

    def _put_images(self, row: int, old: NodeObject | None, node: NodeObject | None) -> None:
        self.image_version += 1
        for image in (old.status.images if old else None) or ():
            for name in image.names or ():
                known = self.images.get(name)
                if known is not None:
                    known.sizes.pop(row, None)
                    if not known.sizes:
                        del self.images[name]
        for image in (node.status.images if node else None) or ():
            for name in image.names or ():
                self.images.setdefault(name, Image()).sizes.setdefault(row, image.size_bytes)


def _restride(flat: array[int], old: int) -> array[int]:
    """The same resources with twice as many rows each."""
    wider, gap = array("q"), bytes(8 * old)
    for start in range(0, len(flat), old):
        wider.extend(flat[start : start + old])
        wider.frombytes(gap)
    return wider
