"""What handlers work with: one Core for the server, one Call for each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec

from cybernetes.apiserver.cache.feed import Caches
from cybernetes.apiserver.cache.lister import Lister
from cybernetes.apiserver.leases import Leases
from cybernetes.apiserver.outbound import Outbound
from cybernetes.apiserver.registry import Registry, Served
from cybernetes.apiserver.request import RequestInfo
from cybernetes.apiserver.time_limit import TimeLimit
from cybernetes.base.clock import Clock
from cybernetes.base.errors import Bug
from cybernetes.base.random import Random
from cybernetes.model.resource import WriteContext
from cybernetes.store.api import Check, Delete, Put, Store
from cybernetes.wire.http.message import Request, Response, Transport

Object = dict[str, Any]
_UNTRACED = nullcontext()


class Call(msgspec.Struct):
    """One request on its way. warnings: texts of Warning headers, in order."""

    request: Request
    info: RequestInfo
    user: Any
    served: Served
    warnings: list[str] = []
    annotations: dict[str, str] = {}

    @property
    def not_found(self) -> tuple[str, str, str]:
        """group, plural, name: what errors about this object name."""
        return self.served.resource.group, self.served.resource.plural, self.info.name


class NoOutbound:
    """Before connections to others are set up."""

    def to_kubelet(self, node: str, url: str) -> Transport:
        raise Bug(f"no outbound connections were set up; asked for {url}")

    def to_workload(self, url: str) -> Transport:
        raise Bug(f"no outbound connections were set up; asked for {url}")


Handler = Callable[["Core", Call], Awaitable[Response]]


class Core:
    """The parts that handlers share.

    committed  the newest revision that this process was told of by the store; reads wait for it
    """

    def __init__(
        self, store: Store, registry: Registry, caches: Caches, clock: Clock, random: Random, *, shared_store: bool
    ) -> None:
        self.store = store
        self.registry = registry
        self.caches = caches
        self.clock = clock
        self.random = random
        self.lister = Lister(caches, registry)
        self.committed = 0
        # What an ordinary request may take.
        self.time_limit = TimeLimit(60.0)
        # Whose turn it is, when there is more to do than the server can; None: everybody's.
        self.fairness: Any = None
        self.leases = Leases(store, clock)
        self._shared_store = shared_store
        self.metrics: Any = None
        # Records requests, where that is asked for.
        self.audit: Any = None
        # Set by the server once the parts that need the lister are built.
        self.admission: Any = None
        self.authenticator: Any = None
        self.authorizer: Any = None
        # Where the time of requests goes (`tracing.Tracer`); None: nobody wants to know.
        self.tracer: Any = None
        # Gives Services their addresses and ports inside the write path.
        self.allocator: Any = None
        # Create-only resources and subresources: (group, plural, subresource) -> handler.
        self.virtual: dict[tuple[str, str, str], Handler] = {}
        # Resources of which nothing is stored: (group, plural) -> handler by verb.
        self.observed: dict[tuple[str, str], Mapping[str, Handler]] = {}
        # The documents by which others check tokens; None for paths that are no such document.
        self.token_documents: Callable[[Request], Response | None] = lambda request: None
        # Told of the namespace and name of a Secret whose token, one that has no end, was used.
        self.legacy_token_used: Callable[[str, str], None] = lambda namespace, secret: None
        self.nonresource: Any = None
        # Answers for groups of other API servers, or None.
        self.aggregated: Any = None
        # Versions that other API servers answer for, as discovery lists them.
        self.remote_versions: Callable[[], Sequence[Any]] = tuple
        self.outbound: Outbound | NoOutbound = NoOutbound()

    def stored(self, info: RequestInfo) -> int:
        """How many objects of a request's resource there are; 0 for what is not kept here."""
        served = self.registry.find(info.group, info.version, info.resource)
        return len(self.caches.of(*served.keeper).state.items) if served is not None else 0

    async def consistent(self) -> None:
        """Wait until the caches have everything that was acknowledged before this call."""
        if self._shared_store:
            self.committed = max(self.committed, await self.store.revision())
        if self.caches.revision < self.committed:
            await self.caches.reached(self.committed)

    def step(self, name: str, **attributes: str | int) -> AbstractContextManager[object]:
        """Part of a request, for whoever traces it."""
        if self.tracer is None:
            return _UNTRACED
        found: AbstractContextManager[object] = self.tracer.step(name, **attributes)
        return found

    async def commit(self, checks: list[Check], writes: list[Put | Delete]) -> int:
        """Write; the revision. Raises store.Conflict, EdgeError."""
        started = self.clock.monotonic()
        with self.step("etcd.txn", writes=len(writes)):
            revision = await self.store.txn(checks, writes)
        self.committed = max(self.committed, revision)
        if self.metrics is not None and writes:
            creates = bool(checks) and not checks[0].revision
            self.metrics.committed(writes[0], creates=creates, took_s=self.clock.monotonic() - started)
        return revision

    def context(self, call: Call, *, dry_run: bool = False) -> WriteContext:
        user = call.user
        return WriteContext(
            now=self.clock.now(),
            random=self.random,
            user=user.name,
            uid=user.uid,
            groups=tuple(user.groups),
            extra=user.extra,
            namespace=call.info.namespace,
            dry_run=dry_run,
            warnings=call.warnings,
        )
