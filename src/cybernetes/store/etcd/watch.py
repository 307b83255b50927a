"""One watch: a stream that is opened again from where it was when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome
from cybernetes.base.log import Log
from cybernetes.store.api import Batch, Compacted
from cybernetes.store.etcd.calls import Calls
from cybernetes.store.etcd.convert import HistoryGone, Keys
from cybernetes.wire.grpc import etcd_kv_pb2 as kv
from cybernetes.wire.grpc import etcd_rpc_pb2 as rpc
from cybernetes.wire.grpc import etcd_rpc_pb2_grpc as stubs

log = Log("store")

# An election, or a member that restarts, is over sooner.
RESUME_PAUSE_S = 0.5
RESUME_TRIES = 120


class Watch:
    """`batches` is its life; `ask_progress` may be called beside it."""

    def __init__(self, calls: Calls, keys: Keys, clock: Clock, prefix: str, after: int) -> None:
        self._calls = calls
        self._keys = keys
        self._clock = clock
        self._prefix = prefix
        self._after = after
        self._failures = 0
        self._stream: Any = None
        self._may_ask = False

    async def batches(self) -> AsyncIterator[Batch]:
        while True:
            try:
                async for batch in self._one_stream():
                    self._failures = 0
                    if batch.revision > self._after:
                        self._after = batch.revision
                        yield batch
            except grpc.aio.AioRpcError as error:
                self._calls.refuse_closed()
                self._failures += 1
                if self._failures > RESUME_TRIES or error.code() is grpc.StatusCode.PERMISSION_DENIED:
                    raise self._calls.error("watch", self._prefix, error, Outcome.NOT_DONE) from error
            except asyncio.CancelledError:
                task = asyncio.current_task()
                # Closing the channel cancels its streams; that is not the caller's cancellation.
                if self._calls.closed and (task is None or not task.cancelling()):
                    raise self._calls.closed_error() from None
                raise
            await self._clock.sleep(RESUME_PAUSE_S)
            self._calls.refuse_closed()

    async def ask_progress(self) -> None:
        """etcd answers on the stream, after what it sent before; without an open stream nothing is asked."""
        if not self._may_ask:
            return
        self._may_ask = False
        try:
            await self._stream.write(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))
            self._may_ask = True
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            # The stream broke: whoever reads it finds out, and opens it again.
            log.debug("etcd.progress_not_asked", prefix=self._prefix, reason=str(error))

    async def _one_stream(self) -> AsyncIterator[Batch]:
        self._stream = stubs.WatchStub(self._calls.channel).Watch()
        try:
            await self._stream.write(self._create())
            events: list[kv.Event] = []
            while True:
                response = await self._stream.read()
                if response is grpc.aio.EOF:
                    return
                self._refuse(response)
                if response.created:
                    self._may_ask = True
                events += response.events
                if response.fragment:
                    continue
                for batch in self._whole(events):
                    yield batch
                if not events and not response.created:
                    yield Batch(response.header.revision, ())
                events = []
        finally:
            self._may_ask = False
            self._stream.cancel()

    def _create(self) -> rpc.WatchRequest:
        key, end = self._keys.bounds(self._prefix)
        create = rpc.WatchCreateRequest(
            key=key,
            range_end=end,
            start_revision=self._after + 1,
            prev_kv=True,
            progress_notify=True,
            fragment=True,
        )
        return rpc.WatchRequest(create_request=create)

    def _whole(self, events: list[kv.Event]) -> list[Batch]:
        try:
            return self._keys.batches(events)
        except HistoryGone as error:
            raise Compacted(self._after, self._after + 1) from error

    def _refuse(self, response: rpc.WatchResponse) -> None:
        if response.compact_revision:
            raise Compacted(self._after, response.compact_revision)
        if response.canceled:
            message = f"etcd ended it: {response.cancel_reason}"
            raise EdgeError("watch", self._prefix, message, outcome=Outcome.NOT_DONE)
