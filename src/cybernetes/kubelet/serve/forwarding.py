"""Legacy port-forward: two WebSocket channels a port, two SPDY streams of the runtime."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence

from cybernetes.kubelet.serve.sockets import ChannelSocket, Pipe
from cybernetes.wire.stream.spdy import Data, Spdy, SpdyError


class PortBridge:
    """Channel 2i carries the data of port i, 2i+1 its error text; each begins with the port, little-endian."""

    def __init__(self, socket: ChannelSocket, pipe: Pipe, ports: Sequence[int]) -> None:
        self._socket = socket
        self._pipe = pipe
        self._ports = ports
        self._spdy = Spdy(client=True)
        self._streams: list[int] = []
        self._channels: dict[int, int] = {}
        for index, port in enumerate(ports):
            headers = {"port": str(port), "requestid": str(index)}
            error = self._spdy.open({"streamtype": "error", **headers}, fin=True)
            data = self._spdy.open({"streamtype": "data", **headers})
            self._streams.append(data)
            self._channels[data] = 2 * index
            self._channels[error] = 2 * index + 1

    async def run(self) -> None:
        try:
            for index, port in enumerate(self._ports):
                await self._socket.send(2 * index, struct.pack("<H", port))
                await self._socket.send(2 * index + 1, struct.pack("<H", port))
            await self._pipe.write(self._spdy.outgoing())
            async with asyncio.TaskGroup() as group:
                upward = group.create_task(self._to_runtime(), name="forward.up")
                downward = group.create_task(self._to_client(), name="forward.down")
                await asyncio.wait({upward, downward}, return_when=asyncio.FIRST_COMPLETED)
                upward.cancel()
                downward.cancel()
        finally:
            await self._pipe.close()
            await self._socket.close()

    async def _to_runtime(self) -> None:
        try:
            while (piece := await self._socket.receive()) is not None:
                index = piece.channel // 2
                if piece.channel % 2 == 0 and index < len(self._streams):
                    self._spdy.send(self._streams[index], piece.data, fin=piece.closes)
                    await self._pipe.write(self._spdy.outgoing())
        except OSError:
            return

    async def _to_client(self) -> None:
        ended: set[int] = set()
        try:
            while data := await self._pipe.read():
                for event in self._spdy.receive(data):
                    if not isinstance(event, Data) or event.stream not in self._channels:
                        continue
                    if event.data:
                        await self._socket.send(self._channels[event.stream], event.data)
                    if event.fin and event.stream in self._streams:
                        ended.add(event.stream)
                if len(ended) == len(self._streams):
                    return
        except (OSError, SpdyError):
            return
