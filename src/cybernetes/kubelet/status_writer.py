"""Brings pod status to the API server: the newest of each pod, soon, once.

What a pod has come to is written at once. Steps on its way to running are written when they take longer than a moment.
Only the difference to what the server is known to have is sent. When somebody else changes
what belongs to the kubelet, the watch shows it and it is written again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.client.api import ApiClient, PatchType
from cybernetes.client.target import PODS
from cybernetes.kubelet import pods
from cybernetes.kubelet import status as statuses
from cybernetes.kubelet.pods import Object

_log = Log("kubelet")

# Patches under way at once; a burst of pods becoming ready is written side by side.
WRITERS = 8
# Versions remembered of a pod: so many writes may be answered before the watch shows the first.
MADE_MAX = 4
# Most pods run by then, and their steps towards that need not be written.
STEP_S = 0.2
_RETRY_FIRST_S = 0.2
_RETRY_LIMIT_S = 10.0


class _Entry:
    """One pod: what is wanted, what the server has, and whether somebody waits for both to be equal."""

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.name = name
        self.wanted: Object | None = None
        self.known: Object = {}
        # What was asked for last, and what the server made of it: equal again means nothing to do.
        self.echo: tuple[Object, Object] | None = None
        # Of the object in the API; "" while a static pod has no mirror.
        self.api_uid = ""
        self.gone = False
        self.attempts = 0
        # Whether what is wanted is a step on the way; whether one waits for its moment, and whether that has come.
        self.is_step = False
        self.waits = False
        self.due = False
        # How often the watch has shown the pod as somebody else made it, and the versions that this kubelet has made
        # and the watch has not shown yet.
        self.sightings = 0
        self.made: deque[str] = deque(maxlen=MADE_MAX)
        self.settled = asyncio.Event()

    def difference(self) -> Object:
        if self.wanted is None or self.echo == (self.wanted, self.known):
            return {}
        return statuses.patch(self.known, self.wanted)


class StatusWriter:
    def __init__(self, client: ApiClient, clock: Clock, random: Random) -> None:
        self._client = client
        self._clock = clock
        self._random = random
        self._entries: dict[str, _Entry] = {}
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._writing: set[str] = set()

    def see(self, pod: Object, static_uid: str = "") -> None:
        """The API server's pod as the watch shows it; static_uid: of the static pod that it mirrors."""
        meta = pod["metadata"]
        uid = static_uid or meta["uid"]
        entry = self._entry(uid, meta["namespace"], meta["name"])
        entry.api_uid = meta["uid"]
        if meta.get("resourceVersion") in entry.made:
            # The answer told so already, and perhaps a later one since.
            entry.made.remove(meta["resourceVersion"])
        else:
            entry.known = pod.get("status") or {}
            entry.sightings += 1
        if entry.wanted is not None:
            self._enqueue(uid, entry)

    def set(self, pod: Object, status: Object) -> None:
        """`status` is what the pod's should be from now on."""
        meta = pod["metadata"]
        entry = self._entry(meta["uid"], meta["namespace"], meta["name"])
        entry.wanted = status
        entry.is_step = statuses.is_on_its_way(status) and not pods.is_deleted(pod)
        self._enqueue(meta["uid"], entry)

    def forget(self, uid: str) -> None:
        entry = self._entries.pop(uid, None)
        if entry is not None:
            entry.settled.set()

    async def settled(self, uid: str) -> None:
        """Wait until the server has what was set last, or the pod is gone there."""
        entry = self._entries.get(uid)
        if entry is not None:
            await entry.settled.wait()

    async def told(self, uid: str, at_most_s: float) -> None:
        """The same, but not for longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self.settled(uid)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(WRITERS):
                group.create_task(self._work(group), name=f"status.{number}")

    def _entry(self, uid: str, namespace: str, name: str) -> _Entry:
        entry = self._entries.get(uid)
        if entry is None:
            entry = self._entries[uid] = _Entry(namespace, name)
        return entry

    def _enqueue(self, uid: str, entry: _Entry) -> None:
        if entry.gone or not entry.api_uid or not entry.difference():
            entry.settled.set()
            return
        entry.settled.clear()
        if uid not in self._queued:
            self._queued.add(uid)
            self._queue.put_nowait(uid)

    async def _work(self, group: asyncio.TaskGroup) -> None:
        while True:
            uid = await self._queue.get()
            self._queued.discard(uid)
            entry = self._entries.get(uid)
            if entry is None or uid in self._writing:
                continue
            if entry.is_step and not entry.due:
                if not entry.waits:
                    entry.waits = True
                    group.create_task(self._take_step(uid, entry), name=f"status.step.{entry.name}")
                continue
            entry.due = False
            self._writing.add(uid)
            try:
                again_s = await self._write(uid, entry)
            finally:
                self._writing.discard(uid)
            if again_s is not None:
                group.create_task(self._later(uid, again_s), name=f"status.retry.{entry.name}")
            elif uid in self._entries:
                self._enqueue(uid, entry)

    async def _take_step(self, uid: str, entry: _Entry) -> None:
        await self._clock.sleep(STEP_S)
        entry.waits, entry.due = False, True
        if self._entries.get(uid) is entry:
            self._enqueue(uid, entry)

    async def _later(self, uid: str, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        entry = self._entries.get(uid)
        if entry is not None:
            self._enqueue(uid, entry)

    async def _write(self, uid: str, entry: _Entry) -> float | None:
        """Send the difference; seconds until it has to be tried again, None when it need not be."""
        wanted, difference = entry.wanted, entry.difference()
        if wanted is None or not difference:
            return None
        body: dict[str, Any] = {"metadata": {"uid": entry.api_uid}, "status": difference}
        sightings = entry.sightings
        try:
            answer = await self._client.patch(
                PODS, entry.name, body, PatchType.STRATEGIC, namespace=entry.namespace, subresource="status"
            )
        except ApiError as error:
            if error.code == 404 or (error.code == 409 and await self._has_another(entry)):
                # The pod is gone, or another one has its name. A mirror may come again, under another uid.
                entry.gone = entry.api_uid == uid
                entry.api_uid = ""
                entry.settled.set()
                return None
            _log.warning("status.refused", pod=f"{entry.namespace}/{entry.name}", why=error.message)
            return self._next_try(entry)
        except EdgeError as error:
            _log.debug("status.delayed", pod=f"{entry.namespace}/{entry.name}", why=error.message)
            return self._next_try(entry)
        entry.attempts = 0
        made = answer.get("status") or {}
        entry.echo = (wanted, made)
        entry.made.append(answer["metadata"].get("resourceVersion", ""))
        if entry.sightings == sightings:
            entry.known = made
        # Else the watch has shown something meanwhile, which may be later than this answer: somebody else's change
        # must not be taken for undone. When it was earlier, the same is sent once more, which changes nothing.
        return None

    async def _has_another(self, entry: _Entry) -> bool:
        """Whether the name is another pod's by now. A conflict may also be that many changed the pod at once."""
        try:
            pod = await self._client.get(PODS, entry.name, namespace=entry.namespace)
        except ApiError as error:
            return error.code == 404
        except EdgeError:
            return False
        return str(pod["metadata"]["uid"]) != entry.api_uid

    def _next_try(self, entry: _Entry) -> float:
        entry.attempts += 1
        return backoff(entry.attempts - 1, first_s=_RETRY_FIRST_S, limit_s=_RETRY_LIMIT_S, random=self._random)
