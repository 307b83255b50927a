"""What the event loop asks of the writer, and what it answers: values that cross a process boundary."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.store.api import Batch, Check, Compacted, Conflict, Delete, Entry, FutureRevision, Put

# Bounds what one commit holds back: 256 writes take some 8 ms.
GROUP_MAX = 256


class Txn(msgspec.Struct, frozen=True, array_like=True, tag="txn"):
    checks: list[Check]
    writes: list[Put | Delete]


class Grant(msgspec.Struct, frozen=True, array_like=True, tag="grant"):
    """Answered by the lease's number. `ends` is wall time, which outlives the process."""

    ends: float


class Expire(msgspec.Struct, frozen=True, array_like=True, tag="expire"):
    """Ends the first lease that was due `now`, with its keys; answered by its number, 0 for none."""

    now: float


class Compact(msgspec.Struct, frozen=True, array_like=True, tag="compact"):
    revision: int


Job = Txn | Grant | Expire | Compact


class ConflictAt(msgspec.Struct, frozen=True, array_like=True, tag="conflict"):
    key: str
    current: Entry | None

    def error(self) -> Exception:
        return Conflict(self.key, self.current)


class CompactedAt(msgspec.Struct, frozen=True, array_like=True, tag="compacted"):
    asked: int
    oldest: int

    def error(self) -> Exception:
        return Compacted(self.asked, self.oldest)


class FutureAt(msgspec.Struct, frozen=True, array_like=True, tag="future"):
    asked: int
    current: int

    def error(self) -> Exception:
        return FutureRevision(self.asked, self.current)


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    operation: str
    target: str
    message: str
    outcome: Outcome
    retry: Retry

    def error(self) -> EdgeError:
        return EdgeError(self.operation, self.target, self.message, outcome=self.outcome, retry=self.retry)


Refusal = ConflictAt | CompactedAt | FutureAt | Failed


class Committed(msgspec.Struct, frozen=True, array_like=True):
    """Of one group: an answer for each job in order, and what the watches must hear.

    failure   the state of the file is unknown since this group; nothing else will be written
    """

    answers: list[int | Refusal]
    batches: list[Batch]
    used_bytes: int
    failure: Failed | None = None


class Opened(msgspec.Struct, frozen=True, array_like=True, tag="opened"):
    revision: int
    used_bytes: int


class Limits(msgspec.Struct, frozen=True, array_like=True):
    """Bytes in use, without free pages. Above `hard` only deletions are taken; `soft` only warns."""

    soft_bytes: int = 4 << 30
    hard_bytes: int = 8 << 30


LIMITS = Limits()


class Opening(msgspec.Struct, frozen=True, array_like=True):
    """How a writer opens its file."""

    path: str
    limits: Limits


class WriterEdge(Protocol):
    """A running writer. It hands every group's Committed to `deliver`, on the event loop, in order."""

    @property
    def opened(self) -> Opened: ...

    def submit(self, job: Job) -> None: ...

    async def stop(self) -> None:
        """Work off what was submitted, deliver it, and end."""
        ...


Deliver = Callable[[Committed], None]
# The second argument is the descriptor whose lock keeps the file ours.
Launch = Callable[[Opening, int, Deliver], Awaitable[WriterEdge]]


def refusal(error: Conflict | Compacted | FutureRevision | EdgeError) -> Refusal:
    match error:
        case Conflict():
            return ConflictAt(error.key, error.current)
        case Compacted():
            return CompactedAt(error.asked, error.oldest)
        case FutureRevision():
            return FutureAt(error.asked, error.current)
        case _:
            return failed(error)


def failed(error: EdgeError) -> Failed:
    return Failed(error.operation, error.target, error.message, error.outcome, error.retry)
