"""Keeps a sink equal to a collection of the API server: list, then watch, for as long as it runs.

A list is paged; a watch that ends is resumed from the last version seen, bookmarks included; a version
that is too old (410) means listing again. Any request may fail at any time: the loop waits, longer each
time, with jitter, so that many clients do not come back at the same moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError
from cybernetes.base.log import Log
from cybernetes.base.random import Random
from cybernetes.base.tasks import backoff
from cybernetes.client.answer import WatchEvent, retry_after_s
from cybernetes.client.api import JSON, METADATA_LIST_ONLY, METADATA_ONLY, ApiClient
from cybernetes.client.target import Target

FIRST_WAIT_S = 0.2
WAIT_LIMIT_S = 30.0
# The server is asked to end each watch after 5 to 10 minutes, so that connections spread over API servers.
WATCH_TIMEOUT_S = 300

_log = Log("client")
_TOO_OLD = ("Expired", "Gone")


class Selection(msgspec.Struct, frozen=True):
    """Which objects of a resource: one namespace, selectors; everything by default."""

    namespace: str = ""
    labels: str = ""
    fields: str = ""


EVERYTHING = Selection()


class Sink(Protocol):
    """What a reflector fills."""

    def begin_list(self) -> None:
        """A new list starts; what an unfinished one gave is void."""
        ...

    def add_listed(self, items: Sequence[bytes]) -> None: ...

    def finish_list(self) -> None:
        """The list is complete: objects that were not in it do not exist."""
        ...

    def apply(self, event: WatchEvent) -> None:
        """ADDED, MODIFIED or DELETED."""
        ...


class _Version(msgspec.Struct):
    metadata: _VersionMeta


class _VersionMeta(msgspec.Struct, rename={"resource_version": "resourceVersion"}):
    resource_version: str = ""


_version = msgspec.json.Decoder(_Version)


class Reflector:
    def __init__(
        self,
        client: ApiClient,
        target: Target,
        sink: Sink,
        *,
        clock: Clock,
        random: Random,
        selection: Selection = EVERYTHING,
        metadata_only: bool = False,
    ) -> None:
        self.version = ""
        self._client = client
        self._target = target
        self._sink = sink
        self._clock = clock
        self._random = random
        self._selection = selection
        self._list_accept = METADATA_LIST_ONLY if metadata_only else JSON
        self._watch_accept = METADATA_ONLY if metadata_only else JSON
        self._failures = 0

    @property
    def failures(self) -> int:
        """How often in a row the server was asked in vain."""
        return self._failures

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                if not self.version:
                    await self._list()
                await self._watch()
            except (ApiError, EdgeError) as error:
                await self._recover(error)

    async def _list(self) -> None:
        self._sink.begin_list()
        version = ""
        pages = self._client.pages(
            self._target,
            namespace=self._selection.namespace,
            label_selector=self._selection.labels,
            field_selector=self._selection.fields,
            accept=self._list_accept,
        )
        async with aclosing(pages):
            async for page in pages:
                self._sink.add_listed(page.items)
                version = page.resource_version
        self._sink.finish_list()
        self.version = version
        self._failures = 0

    async def _watch(self) -> None:
        started = self._clock.monotonic()
        events = self._client.watch(
            self._target,
            resource_version=self.version,
            namespace=self._selection.namespace,
            label_selector=self._selection.labels,
            field_selector=self._selection.fields,
            timeout_s=WATCH_TIMEOUT_S + self._random.below(WATCH_TIMEOUT_S),
            accept=self._watch_accept,
        )
        async with aclosing(events):
            async for event in events:
                if event.type != "BOOKMARK":
                    self._sink.apply(event)
                self.version = _version.decode(event.object).metadata.resource_version
                self._failures = 0
        if self._clock.monotonic() - started < 1:
            # A server that ends watches at once must not be asked in a tight loop.
            await self._clock.sleep(self._random.jitter(1, 1))

    async def _recover(self, error: ApiError | EdgeError) -> None:
        if isinstance(error, ApiError) and (error.code == 410 or error.reason in _TOO_OLD):
            # Jitter only: after a compaction all clients list again, and should not do so in one instant.
            self.version = ""
            wait_s = self._random.jitter(0.05, 10)
        else:
            wait_s = backoff(self._failures, first_s=FIRST_WAIT_S, limit_s=WAIT_LIMIT_S, random=self._random)
        if isinstance(error, ApiError):
            wait_s = max(wait_s, retry_after_s(error))
        self._failures += 1
        _log.debug("reflector.waiting", resource=self._target.plural, wait_s=round(wait_s, 3), why=str(error))
        await self._clock.sleep(wait_s)
