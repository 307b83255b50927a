"""What a controller has asked for and not yet seen come back, so that it does not ask twice.

An informer lags behind the writes of its own component. Until the creations and deletions of a key have
been seen, or TIMEOUT_S has passed, the key's local state is not fit for deciding. Nothing tells when that
time has passed: who waits must look again after `wait_s`.
"""

from __future__ import annotations

import msgspec

from cybernetes.base.clock import Clock

# A watch that lost an event is repaired by a new list well before; then deciding on what is there is right.
TIMEOUT_S = 300.0
# A creation that nobody answered for is likely not to have happened; one that did shows in the watch by then.
UNSURE_S = 10.0


class _Expected(msgspec.Struct):
    creations: int
    deletions: set[str]
    until: float


class Expectations:
    """By key of the owner: a number of creations, and the uids of deletions (or whatever else is going to be gone)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expected: dict[str, _Expected] = {}

    def expect(self, key: str, *, creations: int = 0, deletions: set[str] | None = None) -> None:
        """Add to what is expected of `key`; call before writing, since the event may come before the answer."""
        now = self._clock.monotonic()
        before = self._expected.get(key)
        if before is not None and now >= before.until:
            # Given up: what never showed must not be waited for once more.
            before = None
        creations += max(0, before.creations) if before else 0
        waiting = (before.deletions if before else set()) | (deletions or set())
        self._expected[key] = _Expected(creations, waiting, now + TIMEOUT_S)

    def created(self, key: str, count: int = 1) -> None:
        """`count` creations were seen, or failed."""
        if expected := self._expected.get(key):
            expected.creations -= count

    def deleted(self, key: str, uid: str) -> None:
        """The deletion was seen (a deletion time is enough), or failed."""
        if expected := self._expected.get(key):
            expected.deletions.discard(uid)

    def unsure(self, key: str) -> None:
        """A creation may have failed: it is not waited for as long as one that was acknowledged."""
        if expected := self._expected.get(key):
            expected.until = min(expected.until, self._clock.monotonic() + UNSURE_S)

    def fulfilled(self, key: str) -> bool:
        return self.wait_s(key) == 0

    def wait_s(self, key: str) -> float:
        """Seconds after which to look again even when nothing is seen; 0 when everything was."""
        expected = self._expected.get(key)
        if expected is None or (expected.creations <= 0 and not expected.deletions):
            return 0.0
        return max(0.0, expected.until - self._clock.monotonic())

    def forget(self, key: str) -> None:
        """The owner is gone."""
        self._expected.pop(key, None)
