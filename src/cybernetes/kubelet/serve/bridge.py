"""Joins a client's upgraded connection with the runtime's streaming server.

The runtime speaks SPDY/3.1. A client that does too gets its bytes passed through; a client with
WebSocket gets its channels turned into streams, or its tunnel unwrapped.

source  "Container Runtime Interface", streaming server
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from cybernetes.base.errors import ApiError, EdgeError, bad_request
from cybernetes.kubelet.serve.forwarding import PortBridge
from cybernetes.kubelet.serve.remote import RemoteBridge
from cybernetes.kubelet.serve.sockets import ChannelSocket, Pipe, TunnelSocket
from cybernetes.wire.http.message import Duplex, Request, Response
from cybernetes.wire.stream import channels
from cybernetes.wire.stream.copy import join
from cybernetes.wire.stream.websocket import accept_key

CONNECT_TIMEOUT_S = 30.0
HEAD_BYTES_MAX = 64 * 1024
PORT_PROTOCOL = "portforward.k8s.io"
REMOTE_PROTOCOL = "v4.channel.k8s.io"
_PORT_PROTOCOLS = (channels.TUNNEL, channels.V4, channels.V4_BASE64)


class Wanted(msgspec.Struct, frozen=True):
    """Streams of an exec or attach; ports of a legacy port-forward."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
    ports: tuple[int, ...] = ()


async def bridge(request: Request, url: str, wanted: Wanted, *, forwards_ports: bool) -> Response:
    """The answer that takes the client's connection over. Raises ApiError for upgrades that can't be had."""
    upgrade = request.headers.get("upgrade", "").lower()
    if upgrade == "websocket":
        return await _websocket(request, url, wanted, forwards_ports=forwards_ports)
    if upgrade.startswith("spdy/"):
        return await _spdy(request, url)
    raise bad_request("you must upgrade the connection: Upgrade: websocket or SPDY/3.1")


async def _spdy(request: Request, url: str) -> Response:
    offered = _listed(request.headers.get("x-stream-protocol-version", ""))
    pipe, status, headers, body = await _ask(url, offered)
    if status != 101:
        return Response(status, [("Content-Type", "text/plain; charset=utf-8")], body)

    async def run(client: Duplex) -> None:
        await join(client, pipe)

    return Response(101, [pair for pair in headers if pair[0].lower() != "date"], upgrade=run)


async def _websocket(request: Request, url: str, wanted: Wanted, *, forwards_ports: bool) -> Response:
    offered = _listed(request.headers.get("sec-websocket-protocol", ""))
    supported = _PORT_PROTOCOLS if forwards_ports else channels.SUPPORTED
    protocol = channels.choose(offered, supported)
    key = request.headers.get("sec-websocket-key", "")
    if protocol is None or not key:
        raise ApiError(
            403, "Forbidden", f"no supported protocol among {', '.join(offered)}; known: {', '.join(supported)}"
        )
    pipe, status, _, body = await _ask(url, [PORT_PROTOCOL if forwards_ports else REMOTE_PROTOCOL])
    if status != 101:
        return Response(status, [("Content-Type", "text/plain; charset=utf-8")], body)

    async def run(client: Duplex) -> None:
        if protocol == channels.TUNNEL:
            await join(TunnelSocket(client), pipe)
        elif forwards_ports:
            await PortBridge(ChannelSocket(client, protocol), pipe, wanted.ports).run()
        else:
            socket = ChannelSocket(client, protocol)
            await RemoteBridge(socket, pipe, wanted.stdin, wanted.stdout, wanted.stderr, wanted.tty).run()

    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(key))]
    if offered:
        headers.append(("Sec-WebSocket-Protocol", protocol))
    return Response(101, headers, upgrade=run)


def _listed(header: str) -> list[str]:
    return [each.strip() for each in header.split(",") if each.strip()]


async def _ask(url: str, protocols: Sequence[str]) -> tuple[Pipe, int, list[tuple[str, str]], bytes]:
    """Ask the runtime for an upgraded connection: (connection, status, headers, body of a refusal). Raises EdgeError."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: Upgrade", "Upgrade: SPDY/3.1"]
    lines += [f"X-Stream-Protocol-Version: {each}" for each in protocols]
    lines += ["Content-Length: 0", "", ""]
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=HEAD_BYTES_MAX)
            writer.write("\r\n".join(lines).encode())
            head = await reader.readuntil(b"\r\n\r\n")
            status, headers = _parse_head(head)
            if status == 101:
                return Pipe(reader, writer), status, headers, b""
            length = int({name.lower(): value for name, value in headers}.get("content-length", "0"))
            body = await reader.readexactly(min(length, HEAD_BYTES_MAX))
            writer.close()
            return Pipe(reader, writer), status, headers, body
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as broken:
        raise EdgeError("open stream at", parts.netloc, str(broken) or type(broken).__name__) from broken


def _parse_head(head: bytes) -> tuple[int, list[tuple[str, str]]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]
    return int(first.split(" ")[1]), headers
