"""Static pods: manifests in a folder of this machine, shown in the API by mirror pods.

A static pod runs without an API server. Its mirror has the same name and carries its status; deleting
the mirror only makes a new one.

source  kubernetes.io "Create static Pods"
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from cybernetes.base.clock import rfc3339_micro
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.client.api import is_reason
from cybernetes.client.target import PODS
from cybernetes.kubelet import pods
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.tools import Tools

_log = Log("kubelet")

_SUFFIXES = (".yaml", ".yml", ".json")
# Larger than any pod that an API server would store.
MANIFEST_BYTES_MAX = 1 << 20
_TOLERATION = {"operator": "Exists", "effect": "NoExecute"}


def read_folder(folder: Path) -> dict[str, bytes]:
    """File name -> content of the manifests. Raises OSError."""
    return {
        each.name: each.read_bytes()
        for each in sorted(folder.iterdir())
        if each.suffix in _SUFFIXES and not each.name.startswith(".") and each.stat().st_size <= MANIFEST_BYTES_MAX
    }


def build(manifest: bytes, node_name: str, now: float) -> Object:
    """The pod of a manifest as this node runs it. Raises ApiError when it is no pod."""
    from cybernetes.model.schema.compile import kind_node
    from cybernetes.model.schema.decode import decode
    from cybernetes.model.schema.default import default

    node = kind_node("v1", "Pod")
    assert node is not None
    pod = decode(node, manifest, "application/yaml", kind="Pod", api_version="v1", field_validation="Ignore").object
    default(node, pod)
    digest = hashlib.md5(manifest + node_name.encode(), usedforsecurity=False).hexdigest()
    meta = pod.setdefault("metadata", {})
    meta["name"] = f"{meta['name']}-{node_name}"
    meta["namespace"] = meta.get("namespace") or "default"
    meta["uid"] = digest
    notes = {pods.SOURCE: "file", pods.HASH: digest, pods.SEEN: rfc3339_micro(now)}
    meta["annotations"] = {**(meta.get("annotations") or {}), **notes}
    spec = pod["spec"]
    spec["nodeName"] = node_name
    spec["tolerations"] = [*(spec.get("tolerations") or ()), _TOLERATION]
    pod.pop("status", None)
    return pod


def mirror_of(pod: Object, node_name: str, node_uid: str) -> Object:
    """What shows a static pod in the API."""
    mirror: Object = orjson.loads(orjson.dumps(pod))
    meta = mirror["metadata"]
    del meta["uid"]
    meta["annotations"][pods.MIRROR] = meta["annotations"][pods.HASH]
    meta["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "Node", "name": node_name, "uid": node_uid, "controller": True}
    ]
    return mirror


def key_of(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


class StaticPods:
    """begin, end: start and stop the worker of a static pod; node_uid: of the registered Node, "" before."""

    def __init__(
        self, tools: Tools, begin: Callable[[Object], None], end: Callable[[Object], None], node_uid: Callable[[], str]
    ) -> None:
        self._tools = tools
        self._begin = begin
        self._end = end
        self._node_uid = node_uid
        self._pods: dict[str, Object] = {}
        self._mirrors: dict[str, Object] = {}
        self._changed = asyncio.Event()

    def see_mirror(self, old: Object | None, new: Object | None) -> None:
        """A mirror pod changed in the API."""
        if new is None:
            if old is not None:
                self._mirrors.pop(key_of(old), None)
        else:
            self._mirrors[key_of(new)] = new
            pod = self._pods.get(key_of(new))
            if pod is not None and _hash(new, pods.MIRROR) == pods.uid(pod):
                self._tools.statuses.see(new, pods.uid(pod))
        self._changed.set()

    async def run(self, folder: Path) -> None:
        while True:
            await self._scan(folder)
            await self._reconcile_mirrors()
            try:
                async with asyncio.timeout(self._tools.config.static_check_s):
                    await self._changed.wait()
            except TimeoutError:
                continue
            finally:
                self._changed.clear()

    async def _scan(self, folder: Path) -> None:
        try:
            manifests = await asyncio.to_thread(read_folder, folder)
        except OSError as error:
            _log.warning("static.unread", folder=str(folder), why=str(error))
            return
        wanted: dict[str, Object] = {}
        for name, manifest in manifests.items():
            try:
                pod = build(manifest, self._tools.config.node_name, self._tools.clock.now())
            except (ApiError, KeyError, TypeError) as error:
                _log.warning("static.refused", file=name, why=str(error))
                continue
            wanted[key_of(pod)] = pod
        self._apply(wanted)

    def _apply(self, wanted: Mapping[str, Object]) -> None:
        for key in [key for key, pod in self._pods.items() if key not in wanted or not _same(pod, wanted[key])]:
            self._end(self._pods.pop(key))
        for key, pod in wanted.items():
            if key not in self._pods:
                self._pods[key] = pod
                self._begin(pod)

    async def _reconcile_mirrors(self) -> None:
        """Each static pod has its mirror, and nothing else has one."""
        for key, mirror in list(self._mirrors.items()):
            pod = self._pods.get(key)
            if pod is None or _hash(mirror, pods.MIRROR) != pods.uid(pod) or pods.is_deleted(mirror):
                await self._attempt("delete", mirror)
                self._mirrors.pop(key, None)
        for key, pod in self._pods.items():
            if key not in self._mirrors and self._node_uid():
                await self._attempt("create", mirror_of(pod, self._tools.config.node_name, self._node_uid()))

    async def _attempt(self, verb: str, mirror: Object) -> None:
        meta = mirror["metadata"]
        try:
            if verb == "create":
                await self._tools.client.create(PODS, mirror, namespace=meta["namespace"])
            else:
                await self._tools.client.delete(
                    PODS, meta["name"], namespace=meta["namespace"], uid=meta["uid"], grace_s=0
                )
        except (ApiError, EdgeError) as error:
            if not is_reason(error, "NotFound") and not is_reason(error, "AlreadyExists"):
                _log.warning("mirror.failed", verb=verb, pod=key_of(mirror), why=str(error))


def _hash(pod: Object, name: str) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(name, ""))


def _same(one: Object, other: Object) -> bool:
    return pods.uid(one) == pods.uid(other)
