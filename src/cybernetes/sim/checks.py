"""Promises that hold at every step, and those that hold once faults have ended.

A check is told what happens (a change in the store, a frame of a watch, a container that starts) and
writes what is broken into the transcript.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from cybernetes.auth.user import User, node_name
from cybernetes.sim.transcript import Transcript
from cybernetes.sim.truth import Change, Pod, Truth, pod_of
from cybernetes.wire.http.message import Request, Response

_VERSION = re.compile(rb'"resourceVersion":"(\d+)"')
_NAME = re.compile(rb'"name":"([^"]+)"')


class Checks:
    """acknowledged: revisions that a transaction returned, with their keys."""

    def __init__(self, truth: Truth, transcript: Transcript, cpu_milli: int) -> None:
        self._truth = truth
        self._transcript = transcript
        self._cpu_milli = cpu_milli
        self._bound: dict[str, str] = {}
        self._load: dict[str, dict[str, int]] = {}
        self._running: dict[tuple[str, str], tuple[str, str]] = {}
        self._started: dict[str, None] = {}
        self._ended: dict[str, None] = {}
        self._node_of: dict[str, str] = {}
        self._acknowledged: dict[int, list[str]] = {}
        self._highest = 0
        truth.listeners.append(self._on_change)

    # The store.

    def acknowledged(self, revision: int, keys: Sequence[str]) -> None:
        """`keys` were written at `revision`, and whoever asked for that hears of it now."""
        if revision in self._acknowledged:
            self._transcript.broken(f"revision {revision} was given to {self._acknowledged[revision]} and to {keys}")
        self._truth.look_until(revision)
        if self._truth.revision < revision:
            self._transcript.broken(f"revision {revision} is acknowledged, and the file has {self._truth.revision}")
        self._highest = max(self._highest, revision)
        self._acknowledged[revision] = list(keys)

    def reopened(self, revision: int) -> None:
        """The store is open again after a crash; its connection is followed."""
        if revision < self._highest:
            self._transcript.broken(f"revision {self._highest} was acknowledged; after the crash it is {revision}")
        for each in self._truth.lost()[:3]:
            self._transcript.broken(f"lost by the crash: {each}")

    def _on_change(self, change: Change) -> None:
        if change.key.startswith("/core/pods/"):
            self._on_pod(change)

    def _on_pod(self, change: Change) -> None:
        before = pod_of(change.before) if change.before is not None else None
        after = pod_of(change.value) if change.value is not None else None
        if before is not None and (after is None or after.uid != before.uid or after.finished):
            self._load.get(before.node, {}).pop(before.uid, None)
        if after is None:
            return
        if before is not None and before.uid == after.uid and before.node and after.node != before.node:
            self._transcript.broken(f"pod {change.key} was bound to {before.node}, now to {after.node!r}")
        earlier = self._bound.get(after.uid, after.node)
        if after.node and earlier != after.node:
            self._transcript.broken(f"pod {change.key} was bound to {earlier}, and again to {after.node}")
        if after.node and after.uid not in self._bound:
            self._bound[after.uid] = after.node
            self._transcript.say(f"bound {change.key} {after.node}")
            self._add_load(change.key, after)

    def _add_load(self, key: str, pod: Pod) -> None:
        load = self._load.setdefault(pod.node, {})
        if not pod.finished:
            load[pod.uid] = pod.cpu_milli
        if sum(load.values()) > self._cpu_milli:
            self._transcript.broken(f"node {pod.node} is overcommitted by {key}: {sum(load.values())}m")

    # Containers.

    def container_started(self, node: str, uid: str, name: str, container_id: str) -> None:
        running = self._running.get((uid, name))
        if running is not None and running[1] not in self._ended:
            self._transcript.broken(f"container {name} of pod {uid} runs on {running[0]} and starts on {node}")
        home = self._node_of.setdefault(uid, node)
        if home != node:
            self._transcript.broken(f"pod {uid} ran on {home} and starts on {node}")
        self._running[uid, name] = (node, container_id)
        self._started[container_id] = None

    def container_ended(self, container_id: str) -> None:
        self._ended[container_id] = None

    # Requests.

    def request(self, user: User, request: Request, response: Response | None) -> None:
        if response is None and request.method == "PATCH" and request.path.endswith("/status"):
            node = node_name(user)
            if node is not None and "/pods/" in request.path:
                self._status(node, request)
        if response is not None and response.status >= 500 and isinstance(response.body, bytes):
            self._failure(request, response.status, response.body)

    def _failure(self, request: Request, status: int, body: bytes) -> None:
        """500 may say that the disk failed; a Python error's name says that we did."""
        text = body.decode(errors="replace")
        if re.search(r"Internal error occurred: [A-Za-z]*(Error|Bug|Exception|Exit)\b", text):
            self._transcript.broken(f"{request.method} {request.path} {status}: {text[:300]}")

    def _status(self, node: str, request: Request) -> None:
        status = orjson.loads(request.body).get("status") or {}
        for each in status.get("containerStatuses") or ():
            state: dict[str, Any] = each.get("state") or {}
            container_id = str(each.get("containerID", "")).rpartition("/")[2]
            if "running" in state and container_id not in self._started:
                self._transcript.broken(f"{node} says that {container_id} runs: {request.path}")
            if "terminated" in state and container_id and container_id not in self._ended:
                self._transcript.broken(f"{node} says that {container_id} ended: {request.path}")

    # Watches.

    def watch(self, request: Request, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The chunks of a watch as its client gets them, checked when whole lines are there."""
        look = self._looker(request)
        return chunks if look is None else self._looked_at(chunks, look)

    async def _looked_at(self, chunks: AsyncIterator[bytes], look: Looker) -> AsyncIterator[bytes]:
        rest = b""
        try:
            async for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    look.see(line)
                yield chunk
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]

    def _looker(self, request: Request) -> Looker | None:
        start = request.param("resourceVersion")
        if not request.param("watch") or not start or start == "0" or request.param("labelSelector"):
            return None
        fields = request.param("fieldSelector")
        if fields and not fields.startswith("spec.nodeName="):
            return None
        prefix, namespace = _prefix(request.path)
        node = fields.partition("=")[2]
        return Looker(self._truth, self._transcript, request.path, prefix, namespace, node, int(start))


class Looker:
    """Compares one watch's frames with the truth: each event once, in order, none left out."""

    def __init__(
        self, truth: Truth, transcript: Transcript, path: str, prefix: str, namespace: str, node: str, after: int
    ) -> None:
        self._truth = truth
        self._transcript = transcript
        self._path = path
        self._prefix = prefix
        self._within = f"{prefix}{namespace}/" if namespace else prefix
        self._node = node
        self._at = after
        truth.look_until(after)
        self._next = bisect_right(self._all(), after, key=lambda change: change.revision)

    def see(self, line: bytes) -> None:
        kind, version = line[9 : line.index(b'"', 9)], _VERSION.search(line)
        if kind == b"ERROR" or version is None:
            return
        revision = int(version[1])
        self._truth.look_until(revision)
        if kind == b"BOOKMARK":
            self._skip_to(revision, inclusive=True)
            return
        if revision < self._at:
            self._broken(f"{kind.decode()} at {revision} after {self._at}")
            return
        self._skip_to(revision, inclusive=False)
        self._event(kind.decode(), revision, line)

    def _event(self, kind: str, revision: int, line: bytes) -> None:
        changes = self._all()
        while self._next < len(changes) and changes[self._next].revision == revision:
            change = changes[self._next]
            self._next += 1
            expected = self._kind(change)
            if expected is None:
                continue
            found = _NAME.search(line)
            name = found[1].decode() if found is not None else ""
            if expected != kind or not change.key.endswith(f"/{name}"):
                self._broken(f"{kind} {name} at {revision}; expected {expected} {change.key}")
            self._at = revision
            return
        self._broken(f"{kind} at {revision}, which is no such event or came before")

    def _skip_to(self, revision: int, *, inclusive: bool) -> None:
        """Everything before `revision` that this watch wants must have come."""
        changes = self._all()
        while self._next < len(changes):
            change = changes[self._next]
            if change.revision > revision or (change.revision == revision and not inclusive):
                break
            if self._kind(change) is not None:
                self._broken(f"no event of {change.key} at {change.revision}, but one of {revision}")
            self._next += 1
        self._at = max(self._at, revision)

    def _kind(self, change: Change) -> str | None:
        if not change.key.startswith(self._within):
            return None
        before = change.before is not None and self._wants(change.before)
        after = change.value is not None and self._wants(change.value)
        if before and after:
            return "MODIFIED"
        return "ADDED" if after else "DELETED" if before else None

    def _wants(self, value: bytes) -> bool:
        return not self._node or pod_of(value).node == self._node

    def _all(self) -> list[Change]:
        return self._truth.by_resource.setdefault(self._prefix, [])

    def _broken(self, text: str) -> None:
        self._transcript.broken(f"watch of {self._path} {self._node}: {text}")


def _prefix(path: str) -> tuple[str, str]:
    """(`/core/pods/`, namespace) of a collection's path."""
    parts = path.strip("/").split("/")
    group = "core" if parts[0] == "api" else parts[1]
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 2 else ""
    # Events are one collection behind two groups.
    group = "core" if rest[-1] == "events" else group
    return f"/{group}/{rest[-1]}/", namespace
