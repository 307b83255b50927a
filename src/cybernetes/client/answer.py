"""Reads answers of the API server: whole bodies, errors, lists, watch frames."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec
import orjson

from cybernetes.base.errors import ApiError, EdgeError, Outcome
from cybernetes.wire.http.message import Response

# A frame holds one object; the store refuses values above 1.5 MB, so this is out of reach of a sane server.
FRAME_BYTES_MAX = 8 * 1024 * 1024


class Page(msgspec.Struct):
    """One page of a list. `items` are whole objects as JSON; in lists of built-in kinds they carry no kind and apiVersion."""

    items: list[bytes]
    resource_version: str
    continue_token: str = ""

    def objects(self) -> list[dict[str, Any]]:
        return [orjson.loads(item) for item in self.items]


class WatchEvent(msgspec.Struct):
    """type is ADDED, MODIFIED, DELETED or BOOKMARK; `object` is JSON. ERROR events are raised as ApiError."""

    type: str
    object: bytes


class _ListMeta(
    msgspec.Struct, frozen=True, rename={"resource_version": "resourceVersion", "continue_token": "continue"}
):
    resource_version: str = ""
    continue_token: str = ""


class _List(msgspec.Struct):
    metadata: _ListMeta = _ListMeta()
    items: list[msgspec.Raw] | None = None


class _Frame(msgspec.Struct):
    type: str
    object: msgspec.Raw


_list_decoder = msgspec.json.Decoder(_List)
_frame_decoder = msgspec.json.Decoder(_Frame)


async def whole_body(response: Response) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([chunk async for chunk in response.body])


def error_of(code: int, body: bytes, headers: list[tuple[str, str]] | None = None) -> ApiError:
    """The ApiError of a refused request; an answer that is no Status keeps its text as the message."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    kept = {name.lower(): value for name, value in headers or () if name.lower() == "retry-after"}
    if not isinstance(status, dict) or status.get("kind") != "Status":
        return ApiError(code, "", body[:1024].decode(errors="replace") or f"the server answered {code}", headers=kept)
    return ApiError(
        int(status.get("code") or code),
        status.get("reason") or "",
        status.get("message") or "",
        status.get("details"),
        kept,
    )


def retry_after_s(error: ApiError) -> float:
    """How long the server asks to wait before the next try; 0 when it doesn't say."""
    text = error.headers.get("retry-after", "")
    if text.isdigit():
        return float(text)
    details = error.details or {}
    return float(details.get("retryAfterSeconds") or 0)


def page_of(body: bytes) -> Page:
    """Raises EdgeError when the body is no list."""
    try:
        decoded = _list_decoder.decode(body)
    except msgspec.MsgspecError as broken:
        raise EdgeError("read list", "answer", str(broken), outcome=Outcome.NOT_DONE) from broken
    items = [bytes(item) for item in decoded.items or ()]
    return Page(items, decoded.metadata.resource_version, decoded.metadata.continue_token)


async def frames(chunks: AsyncIterator[bytes]) -> AsyncGenerator[WatchEvent, None]:
    """Watch events of a body of JSON values, one a line, however the chunks are cut.

    Ends when the server ends the stream; a cut line at the end is dropped, since the event comes again
    after resuming. Raises ApiError for an ERROR event, EdgeError for anything unreadable.
    """
    rest = b""
    async for chunk in chunks:
        lines = (rest + chunk if rest else chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > FRAME_BYTES_MAX:
            raise EdgeError("watch", "answer", f"a frame above {FRAME_BYTES_MAX} bytes", outcome=Outcome.NOT_DONE)
        for line in lines:
            if line:
                yield _event_of(line)


def _event_of(line: bytes) -> WatchEvent:
    try:
        frame = _frame_decoder.decode(line)
    except msgspec.MsgspecError as broken:
        raise EdgeError("watch", "answer", str(broken), outcome=Outcome.NOT_DONE) from broken
    if frame.type == "ERROR":
        raise error_of(500, bytes(frame.object))
    return WatchEvent(frame.type, bytes(frame.object))
