"""How slices change so that they list the wanted endpoints, with as few writes as possible.

source  Kubernetes documentation "EndpointSlices", distribution of EndpointSlices
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cybernetes.controllers.endpointslice.objects import Endpoint, Ports, Slice


class Create(msgspec.Struct, frozen=True):
    address_type: str
    ports: Ports
    endpoints: tuple[Endpoint, ...]


class Update(msgspec.Struct, frozen=True):
    slice: Slice
    ports: Ports
    endpoints: tuple[Endpoint, ...]


class Delete(msgspec.Struct, frozen=True):
    slice: Slice


Action = Create | Update | Delete


def reconcile(
    family: str,
    desired: Mapping[Ports, Sequence[Endpoint]],
    existing: Sequence[Slice],
    *,
    size_max: int,
    metadata_differs: Mapping[str, bool],
) -> list[Action]:
    """Actions for the slices of one family.

    existing          slices of this family
    metadata_differs  by slice name: its labels must be written even if its endpoints stay
    """
    by_ports: dict[Ports, list[Slice]] = {}
    for each in existing:
        by_ports.setdefault(each.port_set, []).append(each)
    creates: list[Create] = []
    updates: list[Update] = []
    deletes: list[Slice] = []
    for ports in sorted({*desired, *by_ports}):
        fill = _Fill(family, ports, size_max, metadata_differs)
        fill.run(desired.get(ports, ()), by_ports.get(ports, ()))
        creates += fill.creates
        updates += fill.updates
        deletes += fill.deletes
    return _settle(family, creates, updates, deletes, existing, metadata_differs)


class _Fill:
    """The slices of one set of ports."""

    def __init__(self, family: str, ports: Ports, size_max: int, metadata_differs: Mapping[str, bool]) -> None:
        self.creates: list[Create] = []
        self.updates: list[Update] = []
        self.deletes: list[Slice] = []
        self._family = family
        self._ports = ports
        self._size_max = size_max
        self._differs = metadata_differs

    def run(self, desired: Sequence[Endpoint], existing: Sequence[Slice]) -> None:
        missing = {each.identity: each for each in desired}
        kept: dict[str, tuple[Slice, list[Endpoint]]] = {}
        for each in existing:
            stay = [missing.pop(old.identity) for old in each.listed if old.identity in missing]
            kept[each.metadata.name] = (each, stay)
        changed = {name for name, (each, stay) in kept.items() if tuple(stay) != each.listed}
        left = self._into_changed(kept, changed, list(missing.values()))
        left = self._into_one_more(kept, changed, left)
        for start in range(0, len(left), self._size_max):
            self.creates.append(Create(self._family, self._ports, tuple(left[start : start + self._size_max])))
        for name, (each, stay) in kept.items():
            if not stay:
                self.deletes.append(each)
            elif name in changed or self._differs.get(name):
                self.updates.append(Update(each, self._ports, tuple(stay)))

    def _into_changed(
        self, kept: dict[str, tuple[Slice, list[Endpoint]]], changed: set[str], left: list[Endpoint]
    ) -> list[Endpoint]:
        """Slices that are written anyway take what fits, the fullest first."""
        for name in sorted(changed, key=lambda name: (-len(kept[name][1]), name)):
            room = self._size_max - len(kept[name][1])
            kept[name][1].extend(left[:room])
            left = left[room:]
        return left

    def _into_one_more(
        self, kept: dict[str, tuple[Slice, list[Endpoint]]], changed: set[str], left: list[Endpoint]
    ) -> list[Endpoint]:
        """The last, partial slice's worth goes into a slice that has room for it, the fullest that has."""
        rest = len(left) % self._size_max
        fitting = [
            (len(stay), name)
            for name, (_, stay) in kept.items()
            if name not in changed and len(stay) + rest <= self._size_max
        ]
        if not rest or not fitting:
            return left
        _, name = max(fitting)
        kept[name][1].extend(left[:rest])
        changed.add(name)
        return left[rest:]


def _settle(
    family: str,
    creates: list[Create],
    updates: list[Update],
    deletes: list[Slice],
    existing: Sequence[Slice],
    metadata_differs: Mapping[str, bool],
) -> list[Action]:
    """Reuse slices that would be deleted, and keep one empty slice where there would be none."""
    reused = [Update(old, new.ports, new.endpoints) for old, new in zip(deletes, creates, strict=False)]
    creates, deletes = creates[len(reused) :], deletes[len(reused) :]
    remaining = len(existing) - len(deletes)
    if remaining == 0 and not creates:
        if not deletes:
            return [Create(family, (), ())]
        # The last one stays as the placeholder; it may be one already.
        placeholder, deletes = deletes[0], deletes[1:]
        if placeholder.listed or placeholder.ports or metadata_differs.get(placeholder.metadata.name):
            updates = [*updates, Update(placeholder, (), ())]
    return [*creates, *reused, *updates, *(Delete(each) for each in deletes)]
