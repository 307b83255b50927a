"""TLS of servers whose certificates are renewed while they run: files are looked at when clients come.

A handshake uses the newest certificate and the newest authorities; connections that are open go on with theirs.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cybernetes.base.log import Log
from cybernetes.wire.http.tls import server_context

log = Log("http")

# Looking costs some microseconds of a handshake, which takes thousands.
LOOK_S = 1.0
Signature = tuple[tuple[int, int], ...]


class RenewedTls:
    """authorities: files whose certificates may sign clients'; () when clients show none. now: of the monotonic clock.

    `context` is what a server listens with.
    """

    def __init__(self, certificate: Path, key: Path, authorities: Sequence[Path], now: Callable[[], float]) -> None:
        self._certificate = certificate
        self._key = key
        self._authorities = tuple(authorities)
        self._now = now
        self._seen = self._signature()
        self._looked = now()
        self._current = self._build()
        self.context = self._build()
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Called at the start of every handshake, with a name or without."""
        if self._now() - self._looked >= LOOK_S:
            self._looked = self._now()
            self._look()
        connection.context = self._current

    def _look(self) -> None:
        try:
            seen = self._signature()
            if seen == self._seen:
                return
            self._current = self._build()
            self._seen = seen
            log.info("tls.renewed", certificate=str(self._certificate))
        except (OSError, ValueError) as broken:
            # Between the writing of a key and of its certificate the two don't fit; what was there goes on.
            log.debug("tls.not_renewed", certificate=str(self._certificate), why=str(broken))

    def _build(self) -> ssl.SSLContext:
        return server_context(self._certificate, self._key, b"".join(each.read_bytes() for each in self._authorities))

    def _signature(self) -> Signature:
        return signature((self._certificate, self._key, *self._authorities))


def signature(paths: Sequence[Path]) -> Signature:
    """Differs when a file was replaced or written. Raises OSError."""
    stats: list[Any] = [path.stat() for path in paths]
    return tuple((each.st_mtime_ns, each.st_ino) for each in stats)
