"""exec and attach: WebSocket channels of the client, SPDY streams of the runtime."""

from __future__ import annotations

import asyncio

import orjson

from cybernetes.kubelet.serve.sockets import ChannelSocket, Pipe
from cybernetes.wire.stream import channels
from cybernetes.wire.stream.channels import ERROR, RESIZE, STDERR, STDIN, STDOUT
from cybernetes.wire.stream.spdy import Data, Spdy, SpdyError

# The error stream holds one Status.
STATUS_BYTES_MAX = 64 * 1024


class RemoteBridge:
    def __init__(self, socket: ChannelSocket, pipe: Pipe, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> None:
        self._socket = socket
        self._pipe = pipe
        self._spdy = Spdy(client=True)
        self._first = channels.first_message_channel(stdout=stdout, stderr=stderr and not tty)
        # In the order in which the protocol's streams are opened.
        names = [(ERROR, "error", True), (STDIN, "stdin", stdin), (STDOUT, "stdout", stdout)]
        names += [(STDERR, "stderr", stderr and not tty), (RESIZE, "resize", tty)]
        self._streams = {channel: self._spdy.open({"streamtype": name}) for channel, name, wanted in names if wanted}
        self._channels = {stream: channel for channel, stream in self._streams.items()}
        self._status = b""

    async def run(self) -> None:
        """Until the command has ended, or the client has left."""
        try:
            await self._pipe.write(self._spdy.outgoing())
            await self._socket.send(self._first, b"")
            async with asyncio.TaskGroup() as group:
                upward = group.create_task(self._to_runtime(), name="remote.stdin")
                downward = group.create_task(self._to_client(), name="remote.output")
                # Either end closing ends the session: the client's leaving must free the runtime.
                await asyncio.wait({upward, downward}, return_when=asyncio.FIRST_COMPLETED)
                if downward.done():
                    await self._finish()
                upward.cancel()
                downward.cancel()
        finally:
            await self._pipe.close()
            await self._socket.close()

    async def _to_runtime(self) -> None:
        try:
            while (piece := await self._socket.receive()) is not None:
                stream = self._streams.get(piece.channel)
                if stream is None or piece.channel not in (STDIN, RESIZE):
                    continue
                self._spdy.send(stream, piece.data, fin=piece.closes)
                await self._pipe.write(self._spdy.outgoing())
        except OSError:
            return

    async def _to_client(self) -> None:
        try:
            while data := await self._pipe.read():
                for event in self._spdy.receive(data):
                    if isinstance(event, Data):
                        await self._on_data(event)
                out = self._spdy.outgoing()
                if out:
                    await self._pipe.write(out)
        except (OSError, SpdyError):
            return

    async def _on_data(self, event: Data) -> None:
        channel = self._channels.get(event.stream)
        if channel == ERROR:
            self._status = (self._status + event.data)[:STATUS_BYTES_MAX]
        elif channel in (STDOUT, STDERR) and event.data:
            await self._socket.send(channel, event.data)

    async def _finish(self) -> None:
        """Tell the client how the command ended."""
        try:
            if channels.has_status(self._socket.protocol):
                await self._socket.send(ERROR, self._status or _SUCCESS)
            elif text := _failure_text(self._status):
                await self._socket.send(ERROR, text.encode())
        except OSError:
            return


_SUCCESS = b'{"metadata":{},"status":"Success"}'


def _failure_text(status: bytes) -> str:
    if not status:
        return ""
    try:
        decoded = orjson.loads(status)
    except orjson.JSONDecodeError:
        return status.decode("utf-8", "replace")
    return "" if decoded.get("status") == "Success" else str(decoded.get("message", ""))
