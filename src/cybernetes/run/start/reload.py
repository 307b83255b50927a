"""A configuration file that is taken up again when it changes; one that can't be used changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge
from prometheus_client.registry import Collector

from cybernetes.base.clock import Clock
from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.base.log import Log
from cybernetes.run import files

log = Log("apiserver.reload")

# How often the file is looked at.
LOOK_S = 2.0


class Reloaded(Collector):
    """use: takes the contents up; raises EdgeError when they can't be used.

    what  `authentication`, `authorization`: part of the names of the metrics, which are upstream's
    """

    def __init__(self, what: str, path: Path, use: Callable[[bytes], Awaitable[None]], clock: Clock) -> None:
        self._what = what
        self._path = path
        self._use = use
        self._clock = clock
        self._tried = b""
        prefix = f"apiserver_{what}_config_controller"
        self._info = Gauge(f"{prefix}_last_config_info", "Configuration in use", ("hash",), registry=None)
        self._reloads = Counter(f"{prefix}_automatic_reloads", "Reloads", ("status",), registry=None)

    async def start(self) -> None:
        """Raises EdgeError: a server does not start with a file that it can't use."""
        self._tried = self._read()
        await self._take(self._tried)

    async def run(self) -> None:
        while True:
            await self._clock.sleep(LOOK_S)
            try:
                found = self._read()
                if found == self._tried:
                    continue
                self._tried = found
                await self._take(found)
                self._reloads.labels("success").inc()
                log.info("configuration.changed", what=self._what)
            except EdgeError as error:
                self._reloads.labels("failure").inc()
                log.error("configuration.not_changed", error, what=self._what)

    async def _take(self, contents: bytes) -> None:
        await self._use(contents)
        self._info.clear()
        self._info.labels(files.fingerprint(contents)).set(1)

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as missing:
            raise unusable(self._path, str(missing)) from missing

    def collect(self) -> Iterator[Any]:
        yield from self._info.collect()
        yield from self._reloads.collect()


def unusable(path: Path | str, why: str) -> EdgeError:
    return EdgeError("read", str(path), why, outcome=Outcome.NOT_DONE, retry=Retry.NEVER)
