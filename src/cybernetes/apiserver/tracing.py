"""Where the time of a request went: a span for it, and spans of its steps inside of that.

enters   a Tracer, built where the exporter is known; the headers of each request (`traceparent`)
leaves   spans; a request that a client traces continues the client's trace
fails    never a request: what can't be exported is dropped by the exporter
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from cybernetes.apiserver.chain import Filter, Next, Passage
from cybernetes.apiserver.core import Core
from cybernetes.apiserver.request import RequestInfo
from cybernetes.wire.http.message import Request, Response


class Span(Protocol):
    def answered(self, code: int) -> None: ...


class Tracer(Protocol):
    def request(self, request: Request, info: RequestInfo) -> AbstractContextManager[Span]: ...

    def step(self, name: str, **attributes: str | int) -> AbstractContextManager[object]:
        """Part of the request that is answered in this task."""
        ...


def traced(tracer: Tracer) -> Filter:
    """The outermost filter."""

    async def trace(core: Core, passage: Passage, following: Next) -> Response:
        with tracer.request(passage.request, passage.info) as span:
            response = await following(passage)
            span.answered(response.status)
            return response

    return trace
