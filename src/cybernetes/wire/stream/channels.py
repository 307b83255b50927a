"""The channels of exec, attach and legacy port-forward within WebSocket messages. Pure.

source  k8s.io/apimachinery remotecommand protocols
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from cybernetes.wire.stream.websocket import Message

STDIN, STDOUT, STDERR, ERROR, RESIZE = 0, 1, 2, 3, 4
_CLOSE = 255

V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
V4_BASE64 = "v4.base64.channel.k8s.io"
V1 = "channel.k8s.io"
V1_BASE64 = "base64.channel.k8s.io"
# In the order in which a server prefers nothing: the client's first that is known wins.
SUPPORTED = (V5, V4, V4_BASE64, V1, V1_BASE64)
TUNNEL = "SPDY/3.1+portforward.k8s.io"


class ChannelError(Exception):
    """A message that belongs to no channel."""


class Channelled(msgspec.Struct, frozen=True):
    """data of a channel; `closes` when the peer will send no more on it."""

    channel: int
    data: bytes
    closes: bool = False


def choose(offered: Sequence[str], supported: Sequence[str] = SUPPORTED) -> str | None:
    """The subprotocol of the session: the first offered that is supported; V1 when none was offered; None: no way."""
    if not offered:
        return V1
    return next((each for each in offered if each in supported), None)


def decode(protocol: str, message: Message) -> Channelled:
    """Raises ChannelError."""
    data = message.data
    if not data:
        raise ChannelError("an empty message")
    if protocol == V5 and data[0] == _CLOSE:
        if len(data) != 2:
            raise ChannelError("a close message names one channel")
        return Channelled(data[1], b"", closes=True)
    if protocol in (V4_BASE64, V1_BASE64):
        try:
            return Channelled(data[0] - ord("0"), base64.b64decode(data[1:], validate=True))
        except (ValueError, binascii.Error) as broken:
            raise ChannelError(str(broken)) from broken
    return Channelled(data[0], data[1:])


def encode(protocol: str, channel: int, data: bytes) -> tuple[bytes, bool]:
    """(message, whether it is text)."""
    if protocol in (V4_BASE64, V1_BASE64):
        return str(channel).encode() + base64.b64encode(data), True
    return bytes([channel]) + data, False


def first_message_channel(*, stdout: bool, stderr: bool) -> int:
    """The channel of the empty message that follows the handshake: the lowest that the server writes."""
    return STDOUT if stdout else STDERR if stderr else ERROR


def has_status(protocol: str) -> bool:
    """Whether the error channel ends with a Status as JSON, rather than with plain text only on failure."""
    return protocol in (V5, V4, V4_BASE64)
