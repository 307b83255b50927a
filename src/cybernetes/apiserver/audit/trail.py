"""One request's events: at its arrival, at the head of a long answer, at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from cybernetes.apiserver.audit import event as events
from cybernetes.apiserver.audit.policy import COMPLETE, PANIC, RECEIVED, STARTED, Treatment
from cybernetes.auth.user import User
from cybernetes.base.clock import Clock, rfc3339_micro
from cybernetes.base.errors import ApiError
from cybernetes.wire.http.message import Duplex, Pieces, Response

Object = dict[str, Any]
Send = Callable[[Object], None]

# What a request ends with when its client left before there was an answer.
_LEFT = {
    "status": "Failure",
    "message": "Timeout: request did not complete within requested timeout - context canceled",
    "reason": "Timeout",
}


class Trail:
    """event  what `events.start` made; grows with the request"""

    def __init__(self, event: Object, treatment: Treatment, received: float, send: Send, clock: Clock) -> None:
        self._event = event
        self._treatment = treatment
        self._received = rfc3339_micro(received)
        self._send = send
        self._clock = clock
        self._over = False

    def received(self) -> None:
        self._emit(RECEIVED)

    def sent_object(self, obj: Any) -> None:
        """The object of the request's body."""
        events.complete_reference(self._event, obj)
        if self._treatment.with_request and obj is not None:
            self._event["requestObject"] = obj if self._treatment.managed_fields else events.without_managed_fields(obj)

    def impersonated(self, user: User) -> None:
        self._event["impersonatedUser"] = user.info()

    def annotate(self, annotations: Mapping[str, str]) -> None:
        if annotations:
            self._event.setdefault("annotations", {}).update(annotations)

    def answered(self, response: Response, failure: ApiError | None, *, long: bool, panicked: bool) -> Response:
        """The response to send on; streams are followed to their end."""
        status = failure.status() if failure is not None else None
        if isinstance(response.body, bytes):
            status = self._answer_object(response, response.body, status)
        elif isinstance(response.body, Pieces) and self._treatment.with_response:
            self._answer_object(response, b"".join(response.body.parts), status)
        self._event["responseStatus"] = events.status_of(response.status, status)
        if panicked:
            self._emit(PANIC)
        if long:
            self._emit(STARTED)
        if response.upgrade is not None:
            response.upgrade = self._followed(response.upgrade)
        elif isinstance(response.body, bytes | Pieces):
            self.complete()
        else:
            response.body = _Followed(response.body, self.complete)
        return response

    def _answer_object(self, response: Response, body: bytes, status: Object | None) -> Object | None:
        """Keep the answer's object where the policy wants it; the Status that it is, if it is one."""
        is_status = b'"kind":"Status"' in body[:64]
        if "objectRef" not in self._event or not (self._treatment.with_response or (is_status and status is None)):
            return status
        found = events.response_object(response.headers, body)
        if self._treatment.with_response and found is not None:
            self._event["responseObject"] = (
                found if self._treatment.managed_fields else events.without_managed_fields(found)
            )
        return found if is_status and status is None and isinstance(found, dict) else status

    def left(self) -> None:
        """The client went away before it had an answer."""
        self._event["responseStatus"] = {"metadata": {}, **_LEFT, "code": 504}
        self.complete()

    def unauthenticated(self, code: int, message: str) -> None:
        """Nobody known sent it: that is all there is to say, and it is the head of the answer."""
        self._event["responseStatus"] = {"metadata": {}, "message": message, "code": code}
        self._emit(STARTED)

    def complete(self) -> None:
        if not self._over:
            self._over = True
            self._emit(COMPLETE)

    def _followed(self, upgrade: Callable[[Duplex], Awaitable[None]]) -> Callable[[Duplex], Awaitable[None]]:
        async def run(duplex: Duplex) -> None:
            try:
                await upgrade(duplex)
            finally:
                self.complete()

        return run

    def _emit(self, stage: str) -> None:
        if stage not in self._treatment.stages:
            return
        row = {**self._event, "stage": stage, "requestReceivedTimestamp": self._received}
        row["stageTimestamp"] = rfc3339_micro(self._clock.now())
        # At the end, where upstream has them.
        annotations = row.pop("annotations", None)
        if annotations:
            row["annotations"] = dict(annotations)
        self._send(row)


class _Followed:
    """A stream that tells when it is over, however it ends."""

    def __init__(self, chunks: AsyncIterator[bytes], over: Callable[[], None]) -> None:
        self._chunks = chunks
        self._over = over

    def __aiter__(self) -> _Followed:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except BaseException:
            self._over()
            raise

    async def aclose(self) -> None:
        self._over()
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()
