"""Objects that pods refer to, read from the API server when they are needed, and kept for a while.

Reading on demand with an age limit bounds both the load on the API server and how long an old value
can be seen: a new pod always gets a value read after it appeared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from cybernetes.base.clock import Clock, parse_rfc3339
from cybernetes.base.errors import ApiError
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient, is_reason
from cybernetes.client.target import (
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    Target,
)
from cybernetes.kubelet.env import Sources
from cybernetes.kubelet.pods import Object
from cybernetes.kubelet.volumes.payload import TokenRequest

RUNTIME_CLASSES = Target("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", namespaced=False)

TARGETS = {"ConfigMap": CONFIG_MAPS, "Secret": SECRETS}
# Enough for every pod of a full node to refer to several objects of its own.
KEPT_MAX = 2000
# A token is replaced when this much of its life is over, or after a day.
_TOKEN_FRACTION = 0.8
_TOKEN_AGE_MAX_S = 86400.0
_TOKEN_JITTER_S = 10

Key = tuple[str, str, str]


class _Kept(msgspec.Struct, frozen=True):
    obj: Object | None
    read_at: float


class ObjectReader:
    def __init__(self, client: ApiClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[Key, _Kept] = {}
        self._reading: dict[Key, asyncio.Lock] = {}

    async def load(self, namespace: str, references: Iterable[tuple[str, str]], not_before: float) -> Sources:
        """The objects (kind, name), each read at `not_before` (monotonic) or later. Absent ones are None."""
        keys = sorted({(kind, namespace, name) for kind, name in references})
        return Sources({key: await self._load(key, not_before) for key in keys})

    async def _load(self, key: Key, not_before: float) -> Object | None:
        lock = self._reading.setdefault(key, asyncio.Lock())
        async with lock:
            kept = self._kept.get(key)
            if kept is not None and (kept.read_at >= not_before or _is_immutable(kept.obj)):
                return kept.obj
            read_at = self._clock.monotonic()
            obj = await self.find(TARGETS[key[0]], key[1], key[2])
            later = self._kept.get(key)
            if later is not None and later.read_at > read_at:
                # A watch has told of it meanwhile, and may know more.
                return later.obj
            self._keep(key, _Kept(obj, read_at))
            return obj

    def keep(self, key: Key, obj: Object | None) -> None:
        """Take over what a watch says of an object now."""
        self._keep(key, _Kept(obj, self._clock.monotonic()))

    def known(self, key: Key) -> Object | None:
        """The object as it was read last; None when it was absent, or never read."""
        kept = self._kept.get(key)
        return kept.obj if kept is not None else None

    def is_immutable(self, key: Key) -> bool:
        return _is_immutable(self.known(key))

    def _keep(self, key: Key, kept: _Kept) -> None:
        if key not in self._kept and len(self._kept) >= KEPT_MAX:
            self._forget_oldest()
        self._kept[key] = kept

    def _forget_oldest(self) -> None:
        key = min(self._kept, key=lambda each: self._kept[each].read_at)
        del self._kept[key]
        self._reading.pop(key, None)

    async def find(self, target: Target, namespace: str, name: str) -> Object | None:
        try:
            return await self._client.get(target, name, namespace=namespace)
        except ApiError as error:
            if is_reason(error, "NotFound"):
                return None
            raise


def _is_immutable(obj: Object | None) -> bool:
    return obj is not None and bool(obj.get("immutable"))


class _Token(msgspec.Struct, frozen=True):
    text: str
    refresh_at: float


class Tokens:
    """Service account tokens bound to pods."""

    def __init__(self, client: ApiClient, clock: Clock, random: Random) -> None:
        self._client = client
        self._clock = clock
        self._random = random
        self._kept: dict[tuple[str, TokenRequest], _Token] = {}

    async def get(self, pod: Object, request: TokenRequest) -> str:
        """The pod's token for an audience; a new one when the kept one is near its end. Raises ApiError, EdgeError."""
        meta = pod["metadata"]
        key = (meta["uid"], request)
        kept = self._kept.get(key)
        if kept is not None and self._clock.now() < kept.refresh_at:
            return kept.text
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [request.audience] if request.audience else [],
                "expirationSeconds": request.expiration_s,
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]},
            },
        }
        account = pod["spec"].get("serviceAccountName") or "default"
        answer = await self._client.create(
            SERVICE_ACCOUNTS, body, namespace=meta["namespace"], name=account, subresource="token"
        )
        now = self._clock.now()
        life_s = parse_rfc3339(answer["status"]["expirationTimestamp"]) - now
        refresh_at = now + min(life_s * _TOKEN_FRACTION, _TOKEN_AGE_MAX_S) - self._random.below(_TOKEN_JITTER_S)
        self._kept[key] = _Token(answer["status"]["token"], refresh_at)
        return str(answer["status"]["token"])

    def forget(self, uid: str) -> None:
        for key in [key for key in self._kept if key[0] == uid]:
            del self._kept[key]
