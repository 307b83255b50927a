"""Answers of the node's name servers, kept as long as they say they may be.

source  RFC 1035 (messages, times to live), RFC 2308 (names that do not exist: the SOA's minimum)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from cybernetes.base.clock import Clock
from cybernetes.dns.forward import Upstream

# CoreDNS keeps answers no longer either: changes elsewhere are seen within this time.
KEPT_S = 30
# Answers, the oldest of which goes for a new one; with 512 bytes each these are 5 MB.
ANSWERS_MAX = 10_000
_HEADER_BYTES = 12
_TRUNCATED = 0x02
_SOA, _OPT = 6, 41
_NO_ERROR, _NO_SUCH_NAME = 0, 3


class _Kept(msgspec.Struct, frozen=True):
    """answer: without the id. times: where its times to live stand. from_s, until_s: monotonic."""

    answer: bytes
    times: tuple[int, ...]
    from_s: float
    until_s: float


class CachingUpstream:
    """Asks `upstream` for what it was not told lately."""

    def __init__(self, upstream: Upstream, clock: Clock) -> None:
        self._upstream = upstream
        self._clock = clock
        self._kept: OrderedDict[tuple[bytes, bool], _Kept] = OrderedDict()

    async def ask(self, query: bytes, question_bytes: int, *, udp: bool) -> bytes:
        key = (query[2:], udp)
        now = self._clock.monotonic()
        found = self._kept.get(key)
        if found is not None and now < found.until_s:
            return query[:2] + _aged(found, int(now - found.from_s))
        answer = await self._upstream.ask(query, question_bytes, udp=udp)
        times = [each for each in records(answer, question_bytes) if each.kind != _OPT]
        life_s = lifetime_s(answer, times)
        if life_s > 0:
            # Places in the answer without its id, which is the asker's.
            places = tuple(each.time_at - 2 for each in times)
            self._kept[key] = _Kept(answer[2:], places, now, now + life_s)
            self._kept.move_to_end(key)
            if len(self._kept) > ANSWERS_MAX:
                self._kept.popitem(last=False)
        return answer


class Record(msgspec.Struct, frozen=True):
    """time_at: where its time to live stands; data: its bytes."""

    kind: int
    time_at: int
    time_s: int
    data: bytes


def records(answer: bytes, question_bytes: int) -> list[Record]:
    """Records of all sections; none of a message that is broken."""
    try:
        return list(_records(answer, question_bytes))
    except IndexError:
        return []


def _records(answer: bytes, question_bytes: int) -> Iterator[Record]:
    counts = [int.from_bytes(answer[at : at + 2], "big") for at in (6, 8, 10)]
    at = _HEADER_BYTES + question_bytes
    for _ in range(sum(counts)):
        at = _behind_name(answer, at)
        kind, time_s, length = (int.from_bytes(answer[at + a : at + b], "big") for a, b in ((0, 2), (4, 8), (8, 10)))
        if at + 10 + length > len(answer):
            raise IndexError(at)
        yield Record(kind, at + 4, time_s, answer[at + 10 : at + 10 + length])
        at += 10 + length


def _behind_name(message: bytes, at: int) -> int:
    while length := message[at]:
        if length & 0xC0:
            return at + 2
        at += 1 + length
    return at + 1


def lifetime_s(answer: bytes, found: list[Record]) -> int:
    """How long an answer may be repeated; 0 for failures, parts, and what says nothing about it."""
    code = answer[3] & 0x0F
    if answer[2] & _TRUNCATED or code not in (_NO_ERROR, _NO_SUCH_NAME) or not found:
        return 0
    times = [each.time_s for each in found]
    if code == _NO_SUCH_NAME or not int.from_bytes(answer[6:8], "big"):
        minimums = [int.from_bytes(each.data[-4:], "big") for each in found if each.kind == _SOA]
        if not minimums:
            return 0
        times += minimums
    return min(KEPT_S, *times)


def _aged(kept: _Kept, age_s: int) -> bytes:
    """The answer with its times to live run down."""
    answer = bytearray(kept.answer)
    for at in kept.times:
        left_s = max(0, int.from_bytes(answer[at : at + 4], "big") - age_s)
        answer[at : at + 4] = left_s.to_bytes(4, "big")
    return bytes(answer)
