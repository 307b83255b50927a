"""Which object owns which, from metadata of all objects."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cybernetes.client.target import Target
from cybernetes.controllers.compact import Shared
from cybernetes.controllers.objects import OwnerReference, View

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


class ItemMeta(View, frozen=True, gc=False):
    """No labels, annotations or versions: there is one of these for every object of the cluster."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    deletion_timestamp: str = ""
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class Item(View, frozen=True, gc=False):
    metadata: ItemMeta


class ItemDecoder:
    """Decodes items of all resources; what is equal in many is one value."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Item).decode
        self._shared = Shared()

    def __call__(self, body: bytes) -> Item:
        metadata = self._decode(body).metadata
        return Item(
            metadata=msgspec.structs.replace(
                metadata,
                namespace=self._shared.one(metadata.namespace),
                owner_references=self._shared.one(metadata.owner_references),
                finalizers=self._shared.one(metadata.finalizers),
            )
        )


class Node(msgspec.Struct, frozen=True, gc=False):
    """An object of the graph."""

    target: Target
    metadata: ItemMeta

    @property
    def deleting(self) -> bool:
        return bool(self.metadata.deletion_timestamp)

    @property
    def orphaning(self) -> bool:
        return self.deleting and ORPHAN in self.metadata.finalizers

    @property
    def deleting_dependents(self) -> bool:
        return self.deleting and FOREGROUND in self.metadata.finalizers

    def blocks(self, owner_uid: str) -> bool:
        """Whether it holds up a foreground deletion of this owner."""
        return any(each.uid == owner_uid and each.block_owner_deletion for each in self.metadata.owner_references)


class Graph:
    """Objects by uid, and dependents by the owner's uid; an owner need not be there."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._dependents: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, uid: str) -> Node | None:
        return self._nodes.get(uid)

    def dependents(self, uid: str) -> list[Node]:
        return [self._nodes[each] for each in self._dependents.get(uid, ())]

    def put(self, node: Node) -> set[str]:
        """Add or replace; the uids of objects whose fate this may change."""
        uid = node.metadata.uid
        before = self._nodes.get(uid)
        owners = [each.uid for each in node.metadata.owner_references]
        former = [each.uid for each in before.metadata.owner_references] if before else []
        self._nodes[uid] = node
        self._unlink(uid, (each for each in former if each not in owners))
        for each in owners:
            self._dependents.setdefault(each, {})[uid] = None
        touched = {each for each in former if each not in owners}
        if owners or node.orphaning or node.deleting_dependents:
            touched.add(uid)
        if node.deleting:
            # Its owners may wait for its blocking reference; foreground deletion goes down to its dependents.
            touched.update(owners)
        if node.deleting_dependents and not (before and before.deleting_dependents):
            touched.update(self._dependents.get(uid, ()))
        return touched

    def remove(self, uid: str) -> set[str]:
        """The object is gone; the uids of its owners and dependents."""
        node = self._nodes.pop(uid, None)
        if node is None:
            return set()
        owners = [each.uid for each in node.metadata.owner_references]
        self._unlink(uid, owners)
        return {*owners, *self._dependents.get(uid, ())}

    def _unlink(self, uid: str, owners: Iterable[str]) -> None:
        for owner in owners:
            dependents = self._dependents.get(owner)
            if dependents is not None:
                dependents.pop(uid, None)
                if not dependents:
                    del self._dependents[owner]
