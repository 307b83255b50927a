"""An API server in memory with as much as a scheduler asks of one: lists, watches, bindings, statuses, deletions."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import orjson

from cybernetes.wire.http.message import Request, Response

JSON = [("content-type", "application/json")]


class MemoryApi:
    """A Transport. `objects` by path of the collection, then key; `log` of (method, path, body) of writes."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.log: list[tuple[str, str, Any]] = []
        self.revision = 0
        self.refuse: dict[tuple[str, str], Response] = {}
        self._watchers: list[tuple[str, asyncio.Queue[bytes]]] = []

    def put(self, collection: str, obj: dict[str, Any]) -> None:
        """Create or replace, and tell watchers."""
        key = _key(obj)
        items = self.objects.setdefault(collection, {})
        kind = "MODIFIED" if key in items else "ADDED"
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        items[key] = obj
        self._tell(collection, kind, obj)

    def drop(self, collection: str, key: str) -> None:
        obj = self.objects[collection].pop(key)
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        self._tell(collection, "DELETED", obj)

    def pod(self, key: str) -> dict[str, Any]:
        return self.objects["/api/v1/pods"][key]

    def events(self, reason: str) -> list[dict[str, Any]]:
        return [body for _, path, body in self.log if path.endswith("/events") and body.get("reason") == reason]

    async def send(self, request: Request) -> Response:
        await asyncio.sleep(0)
        refused = self.refuse.pop((request.method, request.path), None)
        if refused is not None:
            return refused
        if request.method == "GET":
            return self._read(request)
        body = orjson.loads(request.body) if request.body else {}
        if request.path == "/api/v1/bindings":
            items = [await self._bind(each) for each in body["items"]]
            return _answer(200, {"kind": "StatusList", "items": items})
        self.log.append((request.method, request.path, body))
        parts = request.path.strip("/").split("/")
        if "pods" in parts:
            return self._write_pod(request.method, parts, body)
        return _answer(201, body)

    async def close(self) -> None:
        return None

    async def _bind(self, binding: dict[str, Any]) -> dict[str, Any] | None:
        """One of many bindings, as if it had come alone."""
        about = binding["metadata"]
        path = f"/api/v1/namespaces/{about['namespace']}/pods/{about['name']}/binding"
        response = await self.send(Request("POST", path, {}, {}, orjson.dumps(binding)))
        return None if response.status < 400 else orjson.loads(response.body)

    def _read(self, request: Request) -> Response:
        if request.param("watch") == "true":
            queue: asyncio.Queue[bytes] = asyncio.Queue()
            self._watchers.append((request.path, queue))
            return Response(200, JSON, _stream(queue))
        parts = request.path.strip("/").split("/")
        if len(parts) == 6 and parts[4] == "pods":
            found = self.objects["/api/v1/pods"].get(f"{parts[3]}/{parts[5]}")
            return _answer(200, found) if found else failure(404, "NotFound", f'pods "{parts[5]}" not found')
        items = list(self.objects.get(request.path, {}).values())
        return _answer(200, {"metadata": {"resourceVersion": str(self.revision)}, "items": items})

    def _write_pod(self, method: str, parts: list[str], body: dict[str, Any]) -> Response:
        namespace, name, subresource = parts[3], parts[5], parts[6] if len(parts) > 6 else ""
        key = f"{namespace}/{name}"
        stored = self.objects["/api/v1/pods"].get(key)
        if stored is None:
            return failure(404, "NotFound", f'pods "{name}" not found')
        pod = copy.deepcopy(stored)
        if method == "DELETE":
            self.drop("/api/v1/pods", key)
            return _answer(200, pod)
        if subresource == "binding":
            if pod["spec"].get("nodeName"):
                return failure(409, "Conflict", f"pod {name} is already assigned to a node")
            pod["spec"]["nodeName"] = body["target"]["name"]
            pod.get("status", {}).pop("nominatedNodeName", None)
        else:
            _merge_status(pod, body["status"])
        self.put("/api/v1/pods", pod)
        return _answer(201 if subresource == "binding" else 200, pod)

    def _tell(self, collection: str, kind: str, obj: dict[str, Any]) -> None:
        frame = orjson.dumps({"type": kind, "object": obj}) + b"\n"
        for path, queue in self._watchers:
            if path == collection:
                queue.put_nowait(frame)


def failure(code: int, reason: str, message: str) -> Response:
    return _answer(code, {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code})


def _merge_status(pod: dict[str, Any], patch: dict[str, Any]) -> None:
    status = pod.setdefault("status", {})
    for condition in patch.get("conditions", []):
        others = [each for each in status.get("conditions", []) if each["type"] != condition["type"]]
        status["conditions"] = [*others, condition]
    if "nominatedNodeName" in patch:
        status["nominatedNodeName"] = patch["nominatedNodeName"] or ""


def _answer(code: int, body: Any) -> Response:
    return Response(code, JSON, orjson.dumps(body))


async def _stream(queue: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    while True:
        frame = await queue.get()
        while not queue.empty():
            frame += queue.get_nowait()
        yield frame


def _key(obj: dict[str, Any]) -> str:
    namespace = obj["metadata"].get("namespace", "")
    name = obj["metadata"]["name"]
    return f"{namespace}/{name}" if namespace else name


def node(name: str, *, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods}},
    }


def pod(name: str, *, cpu: str = "100m", memory: str = "64Mi", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "labels": {"app": "web"}},
        "spec": {
            "schedulerName": "default-scheduler",
            "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu, "memory": memory}}}],
            **spec,
        },
        "status": {"phase": "Pending"},
    }
