"""Our values in etcd's messages and back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from cybernetes.base.errors import Bug
from cybernetes.store.api import Batch, Check, Conflict, Delete, Entry, Event, Put
from cybernetes.store.keys import prefix_end
from cybernetes.wire.grpc import etcd_kv_pb2 as kv
from cybernetes.wire.grpc import etcd_rpc_pb2 as rpc

# As a key: the least one; as the end of a range: no end.
_ALL = b"\0"


class HistoryGone(Exception):
    """An event came without its previous value: compaction overtook the watch."""


class Keys:
    """Our keys under `root`, so that several users can share a cluster."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._cut = len(root.encode())

    def raw(self, key: str) -> bytes:
        return (self._root + key).encode()

    def bounds(self, prefix: str, start: str = "") -> tuple[bytes, bytes]:
        """First key and end of a range."""
        end = prefix_end(self._root + prefix)
        return self.raw(max(prefix, start)) or _ALL, end.encode() if end is not None else _ALL

    def text(self, raw: bytes) -> str:
        return raw[self._cut :].decode()

    def entry(self, found: kv.KeyValue) -> Entry:
        return Entry(self.text(found.key), found.value, found.mod_revision, found.create_revision)

    def transaction(self, checks: Sequence[Check], writes: Sequence[Put | Delete]) -> rpc.TxnRequest:
        """Its failure branch reads the checked keys, so that a conflict needs no second call."""
        return rpc.TxnRequest(
            compare=[
                rpc.Compare(
                    result=rpc.Compare.EQUAL,
                    target=rpc.Compare.MOD,
                    key=self.raw(check.key),
                    mod_revision=check.revision,
                )
                for check in checks
            ],
            success=[self._operation(write) for write in writes],
            failure=[rpc.RequestOp(request_range=rpc.RangeRequest(key=self.raw(check.key))) for check in checks],
        )

    def conflict(self, checks: Sequence[Check], response: rpc.TxnResponse) -> Conflict:
        for check, answer in zip(checks, response.responses, strict=True):
            found = answer.response_range.kvs
            current = self.entry(found[0]) if found else None
            if check.revision != (current.revision if current else 0):
                return Conflict(check.key, current)
        raise Bug(f"etcd refused a transaction whose checks all hold: {checks}")

    def batches(self, events: Iterable[kv.Event]) -> list[Batch]:
        """Whole revisions, given the events of one response. Raises HistoryGone."""
        return [
            Batch(revision, tuple(self._event(each) for each in group))
            for revision, group in groupby(events, lambda each: each.kv.mod_revision)
        ]

    def _operation(self, write: Put | Delete) -> rpc.RequestOp:
        raw = self.raw(write.key)
        if isinstance(write, Put):
            return rpc.RequestOp(request_put=rpc.PutRequest(key=raw, value=write.value, lease=write.lease))
        return rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=raw))

    def _event(self, event: kv.Event) -> Event:
        now, before = event.kv, event.prev_kv
        key = self.text(now.key)
        if event.type == kv.Event.PUT and now.create_revision == now.mod_revision:
            return Event(key, now.value, None, now.mod_revision, now.create_revision)
        if not event.HasField("prev_kv"):
            raise HistoryGone(key)
        value = now.value if event.type == kv.Event.PUT else None
        return Event(key, value, before.value, now.mod_revision, before.create_revision)
