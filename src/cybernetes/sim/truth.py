"""What the store really holds, read beside the API server: the log's rows as they become visible."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import apsw
import msgspec
import orjson

from cybernetes.model.quantity import milli
from cybernetes.sim.disk import BELOW
from cybernetes.store.sqlite.schema import first_id, revision_of

_ROWS = "SELECT id, key, value FROM log WHERE id > ? ORDER BY id"
# Each version of a pod is looked at by several checks and watches, soon after it was written.
DECODED_MAX = 256
_FINISHED = ("Succeeded", "Failed")


class Change(msgspec.Struct, frozen=True):
    """One key at one revision. value, before: None when it is not there."""

    revision: int
    key: str
    value: bytes | None
    before: bytes | None


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    uid: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    deletion_timestamp: str = ""


class _Resources(msgspec.Struct, frozen=True):
    requests: dict[str, str] = {}


class _Container(msgspec.Struct, frozen=True):
    resources: _Resources = _Resources()


class _Spec(msgspec.Struct, frozen=True, rename={"node_name": "nodeName"}):
    node_name: str = ""
    containers: list[_Container] = []
    priority: int = 0


class _Condition(msgspec.Struct, frozen=True):
    type: str
    reason: str = ""


class _Status(msgspec.Struct, frozen=True):
    phase: str = ""
    conditions: list[_Condition] = []


class Pod(msgspec.Struct, frozen=True):
    """The parts that checks look at."""

    metadata: _Meta
    spec: _Spec = _Spec()
    status: _Status = _Status()

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def node(self) -> str:
        return self.spec.node_name

    @property
    def finished(self) -> bool:
        return self.status.phase in _FINISHED

    @property
    def preempted(self) -> bool:
        return any(
            each.type == "DisruptionTarget" and each.reason == "PreemptionByScheduler"
            for each in self.status.conditions
        )

    @property
    def cpu_milli(self) -> int:
        return sum(
            milli(each.resources.requests["cpu"]) for each in self.spec.containers if "cpu" in each.resources.requests
        )


_pod = msgspec.json.Decoder(Pod)


@lru_cache(DECODED_MAX)
def pod_of(value: bytes) -> Pod:
    return _pod.decode(body_of(value))


def body_of(value: bytes) -> bytes:
    """The JSON behind a value's header line."""
    return value[value.index(b"\n") + 1 :]


def object_of(value: bytes) -> dict[str, object]:
    found: dict[str, object] = orjson.loads(body_of(value))
    return found


class Truth:
    """changes: every one, in order. latest: key -> (revision, value). Call `look` or `look_until` before reading either."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.by_resource: dict[str, list[Change]] = {}
        self.latest: dict[str, tuple[int, bytes]] = {}
        self.revision = 0
        self.listeners: list[Callable[[Change], None]] = []
        self._last_id = 0
        self._connection: apsw.Connection | None = None

    def follow(self, path: Path) -> None:
        self.leave()
        self._connection = apsw.Connection(str(path), vfs=BELOW)

    def leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def look(self) -> None:
        if self._connection is None:
            return
        for row_id, key, value in self._connection.execute(_ROWS, (self._last_id,)):
            self._last_id = row_id
            self.add(revision_of(row_id), key, value)

    def look_until(self, revision: int) -> None:
        """Look, unless that revision was seen before."""
        if self.revision < revision:
            self.look()

    def lost(self) -> list[str]:
        """Changes that were visible, and are not in the file any more, though nothing was compacted away."""
        assert self._connection is not None
        oldest: Any = self._connection.execute("SELECT max(value) FROM marks WHERE name LIKE '%compacted'").get
        kept = {
            (revision_of(row_id), key)
            for row_id, key in self._connection.execute("SELECT id, key FROM log WHERE id >= ?", (first_id(oldest),))
        }
        recent = (each for each in self.changes if each.revision > oldest)
        return [f"{each.key} at {each.revision}" for each in recent if (each.revision, each.key) not in kept]

    def add(self, revision: int, key: str, value: bytes | None) -> None:
        """A row of the log was seen."""
        before = self.latest.get(key)
        change = Change(revision, key, value, before[1] if before else None)
        if value is None:
            self.latest.pop(key, None)
        else:
            self.latest[key] = (revision, value)
        self.changes.append(change)
        self.by_resource.setdefault(resource_of(key), []).append(change)
        self.revision = revision
        for listener in self.listeners:
            listener(change)


def resource_of(key: str) -> str:
    """`/core/pods/` of `/core/pods/shop/web`."""
    group, plural = key.split("/", 3)[1:3]
    return f"/{group}/{plural}/"
