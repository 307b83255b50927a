"""A socket to nf_tables: whole transactions in, dumps out. Belongs to the network namespace it was opened in."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

from cybernetes.base.errors import EdgeError, Outcome, Retry
from cybernetes.proxy.packets.messages import (
    ACK,
    BATCH_BEGIN,
    BATCH_END,
    DUMP,
    FAMILIES,
    REQUEST,
    batch_mark,
    message,
)

_NETLINK_NETFILTER = 12
_SOL_NETLINK = 270
_CAP_ACK, _EXT_ACK = 10, 11
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
# Errors of one batch come back one a message, and all have to fit until they are read.
_RECEIVE_BYTES = 8 << 20
_READ_BYTES = 1 << 20
_ERROR, _DONE = 2, 3
_MULTI, _INTERRUPTED = 0x2, 0x10
# A dump that other writers keep disturbing is tried this often.
_DUMP_TRIES = 10

# The kernel answers before sendmsg returns; this only bounds the wait for an answer that got lost.
_ANSWER_TIMEOUT_S = 10.0


class Refused(EdgeError):
    """The kernel took nothing of a transaction; `code` is the errno of its first complaint."""

    def __init__(self, operation: str, target: str, code: int) -> None:
        words = os.strerror(code)
        super().__init__(operation, target, words, outcome=Outcome.NOT_DONE, retry=Retry.LATER)
        self.code = code


class Netlink:
    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
            self._socket.bind((0, 0))
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BYTES)
            self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        except OSError as refused:
            raise EdgeError("open", "nf_tables", str(refused), outcome=Outcome.NOT_DONE) from refused
        self._socket.settimeout(_ANSWER_TIMEOUT_S)
        self._sequence = 0
        self._send_bytes = 0

    def close(self) -> None:
        self._socket.close()

    def transaction(self, messages: bytes, target: str) -> None:
        """Commit all messages, of which at least one asks for an acknowledgement, or none. Raises Refused."""
        batch = batch_mark(BATCH_BEGIN, 0) + messages + batch_mark(BATCH_END, 0xFFFFFFFF)
        self._reserve(len(batch))
        self._send(batch, target)
        code = self._first_error(target)
        if code:
            raise Refused("commit", target, code)

    def dump(self, kind: int, family: int, body: bytes, target: str) -> list[tuple[int, bytes]]:
        """All answers of a dump, whose kind includes the subsystem: (message kind, attributes). Empty when what it asks for does not exist."""
        for _ in range(_DUMP_TRIES):
            self._sequence += 1
            self._send(message(kind, REQUEST | DUMP, FAMILIES[family], body, self._sequence), target)
            try:
                return self._answers(target)
            except InterruptedError:
                continue
        raise EdgeError("dump", target, "it changes faster than it can be read", outcome=Outcome.NOT_DONE)

    def request(self, kind: int, family: int, body: bytes, target: str, *, missing_ok: bool = False) -> None:
        """One acknowledged request. family: the kernel's number."""
        self._sequence += 1
        self._send(message(kind, REQUEST | ACK, family, body, self._sequence), target)
        code = self._first_error(target)
        if code and not (missing_ok and code == errno.ENOENT):
            raise Refused("change", target, code)

    def _reserve(self, size: int) -> None:
        """A batch is one datagram, and must fit into the socket's buffer."""
        if size > self._send_bytes:
            self._send_bytes = size * 2 + 4096
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, self._send_bytes)

    def _send(self, data: bytes, target: str) -> None:
        try:
            self._socket.sendto(data, (0, 0))
        except OSError as failed:
            outcome = Outcome.NOT_DONE if failed.errno in (errno.EMSGSIZE, errno.EPERM) else Outcome.UNKNOWN
            raise EdgeError("commit", target, str(failed), outcome=outcome) from failed

    def _receive(self, target: str) -> Iterator[tuple[int, int, bytes]]:
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError as failed:
            raise EdgeError("read", target, str(failed) or "no answer") from failed
        return _messages(data)

    def _first_error(self, target: str) -> int:
        """0 when the transaction was acknowledged. All answers were queued before the kernel returned from sending;
        all are read, because acknowledgements of early messages come before the error of a later one."""
        codes = [self._error_of(each) for each in self._receive(target)]
        self._socket.setblocking(False)
        try:
            while True:
                codes += [self._error_of(each) for each in _messages(self._socket.recv(_READ_BYTES))]
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(_ANSWER_TIMEOUT_S)
        return next((code for code in codes if code), 0)

    def _error_of(self, answer: tuple[int, int, bytes]) -> int:
        kind, _, body = answer
        return -struct.unpack_from("=i", body)[0] if kind == _ERROR else 0

    def _answers(self, target: str) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        interrupted = False
        while True:
            for kind, flags, body in self._receive(target):
                interrupted = interrupted or bool(flags & _INTERRUPTED)
                if kind == _DONE:
                    if interrupted:
                        raise InterruptedError
                    return found
                if kind == _ERROR:
                    code = -struct.unpack_from("=i", body)[0]
                    if code == errno.ENOENT:
                        return []
                    if code == errno.EINTR:
                        raise InterruptedError
                    raise Refused("dump", target, code)
                found.append((kind & 0xFF, body[4:]))


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(kind, flags, what follows the head) of each message."""
    at = 0
    while at + 16 <= len(data):
        size, kind, flags, _, _ = struct.unpack_from("=IHHII", data, at)
        yield kind, flags, data[at + 16 : at + size]
        at += size + -size % 4


def attributes(body: bytes) -> dict[int, bytes]:
    """Kind (without flags) -> content; of a repeated kind the last."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(body):
        size, kind = struct.unpack_from("=HH", body, at)
        if size < 4:
            break
        found[kind & 0x3FFF] = body[at + 4 : at + size]
        at += size + -size % 4
    return found
