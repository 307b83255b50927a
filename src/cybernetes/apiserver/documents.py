"""Serves discovery and OpenAPI documents; they are built once and again after the registry changed."""

from __future__ import annotations

from collections.abc import Callable

from cybernetes import KUBERNETES_VERSION
from cybernetes.apiserver import discovery, respond
from cybernetes.apiserver.chain import Passage
from cybernetes.apiserver.core import Core
from cybernetes.apiserver.discovery import Listing
from cybernetes.apiserver.openapi.serve import Schemas
from cybernetes.wire import negotiate
from cybernetes.wire.http.message import Request, Response

# What the documents say of themselves; clients read the server's version elsewhere.


class Documents:
    """address: HOST:PORT at which clients reach this server."""

    def __init__(self, core: Core, address: str) -> None:
        self._core = core
        self._address = address
        self._listing: Listing | None = None
        self._made: dict[str, tuple[bytes, str]] = {}
        self._schemas: Schemas | None = None
        core.registry.on_change(self.forget)

    def forget(self) -> None:
        """What is served has changed."""
        self._listing = None
        self._schemas = None
        self._made.clear()

    @property
    def listing(self) -> Listing:
        if self._listing is None:
            rows = [each.resource for each in self._core.registry]
            custom = frozenset(each.resource.group for each in self._core.registry if each.custom)
            self._listing = Listing(rows, self._core.remote_versions(), custom)
        return self._listing

    async def answer(self, core: Core, passage: Passage) -> Response | None:
        """The document of a path below /api and /apis; None where there is none."""
        request = passage.request
        parts = [part for part in request.path.split("/") if part]
        if parts[:1] == ["openapi"]:
            return self._openapi().answer(request, core.clock.now())
        if parts in (["api"], ["apis"]):
            return self._top(request, core_group=parts == ["api"])
        if parts[:1] == ["api"] and len(parts) == 2:
            return self._plain(request, lambda: discovery.resource_list(self.listing, "", parts[1]))
        if parts[:1] == ["apis"] and len(parts) == 2:
            return self._plain(request, lambda: discovery.group(self.listing, parts[1]))
        if parts[:1] == ["apis"] and len(parts) == 3:
            return self._plain(request, lambda: discovery.resource_list(self.listing, parts[1], parts[2]))
        return None

    def _openapi(self) -> Schemas:
        if self._schemas is None:
            custom: dict[str, bytes] = {}
            for each in self._core.registry:
                custom.update(each.definitions)
            self._schemas = Schemas(self.listing, custom, KUBERNETES_VERSION)
        return self._schemas

    def _top(self, request: Request, *, core_group: bool) -> Response | None:
        version = discovery.asked_version(request.headers.get("accept", ""))
        if version is None:
            if core_group:
                return self._plain(request, lambda: discovery.api_versions(self._address))
            return self._plain(request, lambda: discovery.group_list(self.listing))
        key = f"{version} {core_group}"
        if key not in self._made:
            self._made[key] = discovery.aggregated(self.listing, core=core_group, version=version)
        body, etag = self._made[key]
        headers = [respond.CACHE_CONTROL, ("ETag", etag), ("Vary", "Accept")]
        if request.headers.get("if-none-match") == etag:
            return Response(304, headers)
        return Response(200, [*headers, ("Content-Type", discovery.content_type(version))], body)

    def _plain(self, request: Request, build: Callable[[], bytes | None]) -> Response | None:
        if request.path not in self._made:
            built = build()
            if built is None:
                return None
            self._made[request.path] = built, ""
        form = negotiate.negotiate(request.headers.get("accept", ""), frozenset(), False) or negotiate.PLAIN
        return respond.body(request, form, self._made[request.path][0], 200)
