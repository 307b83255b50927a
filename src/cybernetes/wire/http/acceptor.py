"""Takes connections off a listening socket, a few in each round of the loop.

Whatever is ready in a round waits for all the rest of it. If all that knock were let in at once, a thousand nodes after
a restart, a round would last as long as a thousand handshakes; each handshake takes two rounds, and clients give up
after ten seconds: they would all be gone before theirs was done, and come again. So the kernel keeps them, and no more
than are served soon; others it lets ask again by themselves, after one, three and seven seconds.

enters   a listening socket, a protocol for each connection, an SSL context
leaves   protocols that are connected, after their handshake
holds    at most AT_ONCE are taken in a round; what goes wrong with one ends that one
fails    without free file descriptors nothing is taken for REST_S
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Any

from cybernetes.base.log import Log

# Handshakes of a round: some ten milliseconds.
AT_ONCE = 16
# Connections that the kernel keeps: served within a second or two.
BACKLOG = 256
# As long as clients of Kubernetes wait for one.
HANDSHAKE_S = 10.0
REST_S = 0.5
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = Log("http")


class Acceptor:
    """Begins at once, and ends with `close`; connections that were made go on."""

    def __init__(
        self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._greeting: dict[asyncio.Task[bool], socket.socket] = {}
        self._resting: asyncio.TimerHandle | None = None
        self._loop.add_reader(listener.fileno(), self._take)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Take no more; those whose handshake is under way are dropped. Again: nothing."""
        if self._listener.fileno() < 0:
            return
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for each in self._greeting:
            each.cancel()

    def _take(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connected, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as broken:
                if broken.errno not in _EXHAUSTED:
                    raise
                log.warning("accept.resting", why=broken.strerror or "", seconds=REST_S)
                self._rest()
                return
            connected.setblocking(False)
            task = self._loop.create_task(self._greet(connected), name="http.greet")
            self._greeting[task] = connected
            task.add_done_callback(self._greeted)

    def _rest(self) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._resting = self._loop.call_later(REST_S, self._loop.add_reader, self._listener.fileno(), self._take)

    async def _greet(self, connected: socket.socket) -> bool:
        """Whether a protocol has the connection now. A client that breaks off, or speaks no TLS, is nobody's fault here."""
        try:
            await self._loop.connect_accepted_socket(
                self._protocol,
                connected,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_S if self._tls is not None else None,
            )
        except OSError:
            return False
        return True

    def _greeted(self, task: asyncio.Task[bool]) -> None:
        connected = self._greeting.pop(task)
        if task.cancelled() or not task.result():
            connected.close()


async def listen(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """A socket for each address of the host. shared: other processes of the user may listen on the same port.

    raises  OSError when the host has no address here, or the port is taken
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            sockets.append(_bound(family, address, shared))
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets


def _bound(family: socket.AddressFamily, address: Any, shared: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made
