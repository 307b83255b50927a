"""Reads and writes the quotas' status in the store, for ResourceQuota."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cybernetes.apiserver import stored
from cybernetes.apiserver.admission.resource_quota import Changed
from cybernetes.apiserver.core import Core
from cybernetes.apiserver.registry import prefix
from cybernetes.store.api import Check, Conflict, Put

Object = dict[str, Any]

_PREFIX = prefix("", "resourcequotas")


class StoreLedger:
    def __init__(self, core: Core) -> None:
        self._core = core

    async def current(self, namespace: str) -> Sequence[Object]:
        await self._core.consistent()
        return self._core.lister.list("", "resourcequotas", namespace)

    async def write(self, charged: Sequence[Object]) -> None:
        checks, writes = [], []
        for each in charged:
            metadata = each["metadata"]
            key = f"{_PREFIX}{metadata['namespace']}/{metadata['name']}"
            checks.append(Check(key, int(metadata["resourceVersion"])))
            writes.append(Put(key, stored.encode(each, "v1", "ResourceQuota")))
        try:
            await self._core.commit(list(checks), list(writes))
        except Conflict as conflict:
            if conflict.current is not None:
                self._core.committed = max(self._core.committed, conflict.current.revision)
            raise Changed from conflict
