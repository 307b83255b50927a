"""How long history is kept: compaction behind the present, by time.

Which revision was current when is noted in memory only. After a restart nothing is forgotten for KEEP_S, then all
from before it: history is never shorter than KEEP_S, and at most twice as long plus the time nothing ran, as in
Kubernetes, whose compaction looks back one or two of its rounds. A server that starts anew within KEEP_S each time
forgets nothing; one on another machine with the same etcd does it for both, and a SQLite file grows by what is
written meanwhile, until the first start that holds. Notes on disk would cost a write every EVERY_S to save that.
"""

from __future__ import annotations

from collections import deque

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Retry
from cybernetes.base.log import Log
from cybernetes.store.api import Compacted, Store

log = Log("store")

# Long enough for a client to come back to its watch and to finish a list in pages, as in Kubernetes.
KEEP_S = 300.0
EVERY_S = 30.0


async def retain(store: Store, clock: Clock, *, keep_s: float = KEEP_S) -> None:
    """Forget what is older than `keep_s`, every EVERY_S, until cancelled or the store is closed."""
    marks: deque[tuple[float, int]] = deque()
    while True:
        try:
            marks.append((clock.monotonic(), await store.revision()))
            await _forget_due(store, marks, clock.monotonic() - keep_s)
        except EdgeError as error:
            if error.retry is Retry.NEVER:
                raise
            log.warning("store.not_compacted", reason=str(error))
        await clock.sleep(EVERY_S)


async def _forget_due(store: Store, marks: deque[tuple[float, int]], before: float) -> None:
    """Compact to the newest mark that is old enough."""
    revision = 0
    while marks and marks[0][0] <= before:
        revision = marks.popleft()[1]
    if not revision:
        return
    try:
        await store.compact(revision)
        log.debug("store.compacted", revision=revision)
    except Compacted:
        # Another API server on the same cluster went further.
        return
