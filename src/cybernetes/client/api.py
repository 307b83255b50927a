"""The Kubernetes API as method calls over a Transport."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from typing import Any

import orjson

from cybernetes.base.clock import Clock
from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.client.answer import Page, WatchEvent, error_of, frames, page_of, whole_body
from cybernetes.client.target import Target
from cybernetes.wire.http.message import Request, Response, Transport

Object = dict[str, Any]
Query = Mapping[str, list[str]]

# The server gives up after 60 s; a little more, so that its answer is heard rather than ours.
REQUEST_TIMEOUT_S = 65.0
# Bookmarks come about once a minute; a watch that is silent for longer than two of them is taken for dead.
WATCH_SILENCE_S = 150.0
# Rows a page: about 1 MB of pods, so that neither side holds a big list at once.
PAGE_SIZE = 500

JSON = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class PatchType(enum.Enum):
    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class ApiClient:
    """Calls one API server. Every method raises ApiError for a refusal and EdgeError when there was no answer.

    An EdgeError of a write says UNKNOWN when the write may have happened; of a read always NOT_DONE.
    Nothing is retried here: the caller's loop knows what can be repeated.
    """

    def __init__(
        self, transport: Transport, *, user_agent: str, clock: Clock, headers: Mapping[str, str] | None = None
    ) -> None:
        self.clock = clock
        self._transport = transport
        self._headers = {"user-agent": user_agent, **(headers or {})}

    async def get(
        self,
        target: Target,
        name: str,
        *,
        namespace: str = "",
        subresource: str = "",
        resource_version: str = "",
        accept: str = JSON,
    ) -> Object:
        query = _query(resourceVersion=resource_version)
        return _object(await self._call("GET", target.path(namespace, name, subresource), query, accept=accept))

    async def list(
        self,
        target: Target,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
        accept: str = JSON,
    ) -> Page:
        """One page; `limit` 0 asks for everything in one answer."""
        query = _query(
            labelSelector=label_selector,
            fieldSelector=field_selector,
            limit=str(limit) if limit else "",
            resourceVersion=resource_version,
        )
        query.update(_query(**{"continue": continue_token}))
        return page_of(await self._call("GET", target.path(namespace), query, accept=accept))

    async def pages(
        self,
        target: Target,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        accept: str = JSON,
    ) -> AsyncGenerator[Page, None]:
        """All pages of one consistent list, PAGE_SIZE rows each. Raises ApiError 410 when it took too long."""
        token = ""
        while True:
            page = await self.list(
                target,
                namespace=namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                limit=PAGE_SIZE,
                continue_token=token,
                accept=accept,
            )
            yield page
            token = page.continue_token
            if not token:
                return

    async def create(
        self,
        target: Target,
        obj: Object,
        *,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        field_manager: str = "",
    ) -> Object:
        """`name` and `subresource` for `pods/NAME/binding` and its like."""
        path = target.path(namespace, name, subresource)
        query = _query(fieldManager=field_manager)
        return _object(await self._call("POST", path, query, body=orjson.dumps(_typed(target, obj, subresource))))

    async def update(self, target: Target, obj: Object, *, subresource: str = "", field_manager: str = "") -> Object:
        """Replace the object; its metadata names it, its resourceVersion guards it."""
        metadata = obj["metadata"]
        path = target.path(metadata.get("namespace", ""), metadata["name"], subresource)
        query = _query(fieldManager=field_manager)
        return _object(await self._call("PUT", path, query, body=orjson.dumps(_typed(target, obj, subresource))))

    async def patch(
        self,
        target: Target,
        name: str,
        patch: Object | Sequence[Object],
        patch_type: PatchType,
        *,
        namespace: str = "",
        subresource: str = "",
        field_manager: str = "",
    ) -> Object:
        query = _query(fieldManager=field_manager)
        path = target.path(namespace, name, subresource)
        answer = await self._call("PATCH", path, query, body=orjson.dumps(patch), content_type=patch_type.value)
        return _object(answer)

    async def apply(self, target: Target, obj: Object, *, field_manager: str, subresource: str = "") -> Object:
        """Server-side apply that takes fields over from other managers."""
        metadata = obj["metadata"]
        path = target.path(metadata.get("namespace", ""), metadata["name"], subresource)
        query = _query(fieldManager=field_manager, force="true")
        body = orjson.dumps(_typed(target, obj, ""))
        return _object(await self._call("PATCH", path, query, body=body, content_type=PatchType.APPLY.value))

    async def delete(
        self,
        target: Target,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        resource_version: str = "",
        grace_s: int | None = None,
        propagation: str = "",
    ) -> Object:
        """The object if it is still there (finalizers, grace), or a Status."""
        options = _delete_options(uid, resource_version, grace_s, propagation)
        return _object(await self._call("DELETE", target.path(namespace, name), {}, body=orjson.dumps(options)))

    async def delete_collection(
        self,
        target: Target,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        propagation: str = "",
    ) -> None:
        query = _query(labelSelector=label_selector, fieldSelector=field_selector)
        options = _delete_options("", "", None, propagation)
        await self._call("DELETE", target.path(namespace), query, body=orjson.dumps(options))

    async def watch(
        self,
        target: Target,
        *,
        resource_version: str,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        timeout_s: int = 0,
        accept: str = JSON,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Changes after `resource_version`, bookmarks included, until the server ends the stream.

        Use with `contextlib.aclosing`, so that leaving early frees the connection. Raises ApiError (410
        when the version is too old) and EdgeError (connection lost, or silent for WATCH_SILENCE_S).
        """
        query = _query(
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=resource_version,
            labelSelector=label_selector,
            fieldSelector=field_selector,
            timeoutSeconds=str(timeout_s) if timeout_s else "",
        )
        path = target.path(namespace)
        response = await self._send(Request("GET", path, query, {**self._headers, "accept": accept}))
        async with aclosing(_watched(_chunks(response.body), path)) as alive, aclosing(frames(alive)) as events:
            async for event in events:
                yield event

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Any request: discovery, health, logs. Raises ApiError for a status of 400 and above."""
        merged = {**self._headers, "accept": JSON, **(headers or {})}
        return await self._send(Request(method, path, query or {}, merged, body))

    async def close(self) -> None:
        await self._transport.close()

    async def _call(
        self,
        method: str,
        path: str,
        query: Query,
        *,
        body: bytes = b"",
        content_type: str = JSON,
        accept: str = JSON,
    ) -> bytes:
        headers = {**self._headers, "accept": accept}
        if body:
            headers["content-type"] = content_type
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await whole_body(await self._send(Request(method, path, query, headers, body)))
        except TimeoutError as late:
            outcome = Outcome.NOT_DONE if method == "GET" else Outcome.UNKNOWN
            raise EdgeError(method, path, f"no answer within {REQUEST_TIMEOUT_S:g} s", outcome=outcome) from late

    async def _send(self, request: Request) -> Response:
        response = await self._transport.send(request)
        if response.status >= 400:
            raise error_of(response.status, await whole_body(response), response.headers)
        return response


async def _watched(chunks: AsyncIterator[bytes], path: str) -> AsyncGenerator[bytes, None]:
    """The chunks, ended by an EdgeError when nothing comes for too long; closed at the end if they can be."""
    async with AsyncExitStack() as stack:
        # A Transport may hand out any async iterator.
        close = getattr(chunks, "aclose", None)
        if close is not None:
            stack.push_async_callback(close)
        while True:
            try:
                async with asyncio.timeout(WATCH_SILENCE_S):
                    chunk = await anext(chunks, None)
            except TimeoutError as silent:
                raise EdgeError(
                    "watch", path, f"silent for {WATCH_SILENCE_S:g} s", outcome=Outcome.NOT_DONE
                ) from silent
            if chunk is None:
                return
            yield chunk


def _chunks(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    return _single(body) if isinstance(body, bytes) else aiter(body)


async def _single(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def _object(body: bytes) -> Object:
    """Raises EdgeError when a server, or something between, answers with success and no JSON object."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError as broken:
        raise EdgeError("read object", "answer", str(broken), outcome=Outcome.UNKNOWN) from broken
    if not isinstance(decoded, dict):
        raise EdgeError("read object", "answer", "not an object", outcome=Outcome.UNKNOWN)
    return decoded


def _query(**params: str) -> dict[str, list[str]]:
    return {name: [value] for name, value in params.items() if value}


def _typed(target: Target, obj: Object, subresource: str) -> Object:
    """The object with kind and apiVersion, which callers may leave out where the target says them."""
    if "kind" in obj or subresource not in ("", "status"):
        return obj
    return {"kind": target.kind, "apiVersion": target.api_version, **obj}


def _delete_options(uid: str, resource_version: str, grace_s: int | None, propagation: str) -> Object:
    options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
    preconditions = {name: value for name, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
    if preconditions:
        options["preconditions"] = preconditions
    if grace_s is not None:
        options["gracePeriodSeconds"] = grace_s
    if propagation:
        options["propagationPolicy"] = propagation
    return options


@contextmanager
def if_there() -> Iterator[None]:
    """The block is about something that may be gone meanwhile: that it is not found is no error."""
    try:
        yield
    except ApiError as error:
        if not is_reason(error, "NotFound"):
            raise


def is_reason(error: Exception, reason: str) -> bool:
    """Whether an error is the API's answer with this reason: "NotFound", "Conflict", "AlreadyExists"."""
    return isinstance(error, ApiError) and error.reason == reason
