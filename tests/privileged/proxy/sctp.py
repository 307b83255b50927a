"""SCTP over raw sockets, for kernels without it: an INIT that opens an association, and the answer to it.

source  RFC 9260: common header, INIT and INIT ACK, checksum
"""

from __future__ import annotations

import socket
import struct

PROTOCOL = 132
_INIT, _INIT_ACK = 1, 2
_TAG = 0x1234
_CRC32C = 0x82F63B78


def raw(family: int) -> socket.socket:
    """In the namespace of this thread."""
    made = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_RAW, PROTOCOL)
    made.settimeout(30)
    return made


def opening(source: int, destination: int) -> bytes:
    return _packet(source, destination, 0, _INIT)


def answer(opened: tuple[int, int]) -> bytes:
    """opened: (source, destination) port of the packet that is answered."""
    return _packet(opened[1], opened[0], _TAG, _INIT_ACK)


def received(by: socket.socket) -> tuple[str, int, int]:
    """(address it came from, source port, destination port) of the next packet."""
    packet, sender = by.recvfrom(2048)
    head = (packet[0] & 15) * 4 if by.family == socket.AF_INET else 0
    return sender[0], *struct.unpack_from(">HH", packet, head)


def _packet(source: int, destination: int, tag: int, kind: int) -> bytes:
    # Initiate tag, window, streams out and in, first sequence number; a cookie of 4 bytes in the answer.
    cookie = struct.pack(">HH4s", 7, 8, b"cook") if kind == _INIT_ACK else b""
    chunk = struct.pack(">BBHIIHHI", kind, 0, 20 + len(cookie), _TAG, 65536, 1, 1, 1) + cookie
    head = struct.pack(">HHI", source, destination, tag)
    return head + struct.pack("<I", _checksum(head + bytes(4) + chunk)) + chunk


def _checksum(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC32C if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
