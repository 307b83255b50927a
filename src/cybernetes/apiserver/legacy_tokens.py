"""Notes in their Secrets on which day tokens that have no end were used last, so that unused ones can be found.

source  Kubernetes documentation "Managing Service Accounts", legacy ServiceAccount token tracking
"""

from __future__ import annotations

from cybernetes.apiserver.cache.lister import Lister
from cybernetes.apiserver.tending import tend
from cybernetes.base.clock import Clock, rfc3339
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.client.api import ApiClient, PatchType, if_there
from cybernetes.client.queue import WorkQueue
from cybernetes.client.target import SECRETS

log = Log("apiserver.legacy_tokens")

LAST_USED = "kubernetes.io/legacy-token-last-used"


class LegacyTokens:
    def __init__(self, client: ApiClient, lister: Lister, clock: Clock, random: Random) -> None:
        self._client = client
        self._lister = lister
        self._clock = clock
        self._queue: WorkQueue[str] = WorkQueue(clock, random)

    def used(self, namespace: str, secret: str) -> None:
        """Nothing waits for the note, and where it is there already nothing is written."""
        if self._last_used(namespace, secret) != self._today():
            self._queue.add(f"{namespace}/{secret}")

    async def run(self) -> None:
        await tend(self._queue, self._sync, log, "legacy_tokens.failed")

    async def _sync(self, key: str) -> None:
        namespace, _, secret = key.partition("/")
        today = self._today()
        if self._last_used(namespace, secret) == today:
            return
        with if_there():
            labels = {"metadata": {"labels": {LAST_USED: today}}}
            await self._client.patch(SECRETS, secret, labels, PatchType.MERGE, namespace=namespace)

    def _last_used(self, namespace: str, secret: str) -> str | None:
        found = self._lister.get("", "secrets", namespace, secret) or {}
        labels = found.get("metadata", {}).get("labels") or {}
        last: str | None = labels.get(LAST_USED)
        return last

    def _today(self) -> str:
        return rfc3339(self._clock.now())[: len("2006-01-02")]
