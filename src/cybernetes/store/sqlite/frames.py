"""Frames between the event loop and the writer's process: a length, four bytes, big-endian, and msgpack.

The parent sends lists of jobs. The child answers `Opened` or `Failed`, and then one `Committed` a group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cybernetes.store.sqlite.jobs import Committed, Failed, Job, Opened

RECEIVE_BYTES = 1 << 20

encode = msgspec.msgpack.Encoder().encode
decode_opened = msgspec.msgpack.Decoder(Opened | Failed).decode
decode_committed = msgspec.msgpack.Decoder(Committed).decode
decode_jobs = msgspec.msgpack.Decoder(list[Job]).decode


def frame(value: Any) -> bytes:
    payload = encode(value)
    return len(payload).to_bytes(4, "big") + payload


class Inbox:
    """Cuts a stream into frames; receives into one buffer that stays, so that large frames cost no new pages."""

    def __init__(self) -> None:
        self._buffer = bytearray(RECEIVE_BYTES)
        self._begin = 0
        self._end = 0

    def space(self) -> memoryview:
        """Where to receive: room for what is missing of the next frame, and for some more."""
        held = self._end - self._begin
        wanted = max(self._frame_bytes() - held, RECEIVE_BYTES // 4)
        if len(self._buffer) - self._end < wanted:
            kept = self._buffer[self._begin : self._end]
            if len(self._buffer) < held + wanted:
                self._buffer = bytearray(held + wanted)
            self._buffer[:held] = kept
            self._begin, self._end = 0, held
        return memoryview(self._buffer)[self._end :]

    def received(self, count: int) -> Iterator[memoryview]:
        """The frames that are complete now; each is valid until the next one is asked for."""
        self._end += count
        while self._end - self._begin >= (size := self._frame_bytes()):
            payload = memoryview(self._buffer)[self._begin + 4 : self._begin + size]
            self._begin += size
            yield payload
        if self._begin == self._end:
            self._begin = self._end = 0

    def _frame_bytes(self) -> int:
        """With its length field; that field alone as long as it has not come."""
        if self._end - self._begin < 4:
            return 4
        return 4 + int.from_bytes(self._buffer[self._begin : self._begin + 4], "big")
