"""A server of lists and watches in memory, as much as informers need."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import orjson

from cybernetes.wire.http.message import Request, Response


class Api:
    """Implements Transport: `put` and `delete` objects by plural."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.selections: dict[str, tuple[str, str]] = {}
        self._watchers: dict[str, list[asyncio.Queue[bytes]]] = defaultdict(list)
        self._revision = 1

    def put(self, plural: str, obj: dict[str, Any]) -> None:
        metadata = obj["metadata"]
        key = f"{metadata.get('namespace', '')}/{metadata['name']}"
        kind = "MODIFIED" if key in self.objects[plural] else "ADDED"
        self._revision += 1
        stored = {**obj, "metadata": {**metadata, "resourceVersion": str(self._revision)}}
        self.objects[plural][key] = stored
        self._tell(plural, kind, stored)

    def delete(self, plural: str, key: str) -> None:
        self._revision += 1
        gone = self.objects[plural].pop(key)
        gone["metadata"]["resourceVersion"] = str(self._revision)
        self._tell(plural, "DELETED", gone)

    def _tell(self, plural: str, kind: str, obj: dict[str, Any]) -> None:
        for watcher in self._watchers[plural]:
            watcher.put_nowait(orjson.dumps({"type": kind, "object": obj}) + b"\n")

    async def send(self, request: Request) -> Response:
        plural = request.path.rpartition("/")[2]
        self.selections[plural] = (request.param("labelSelector") or "", request.param("fieldSelector") or "")
        if request.param("watch"):
            return Response(200, body=self._watch(plural))
        items = list(self.objects[plural].values())
        listed = {"metadata": {"resourceVersion": str(self._revision)}, "items": items}
        return Response(200, body=orjson.dumps(listed))

    async def _watch(self, plural: str) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watchers[plural].append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._watchers[plural].remove(queue)

    async def close(self) -> None:
        pass
