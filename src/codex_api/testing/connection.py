"""One TCP connection of a scripted server.

A protocol class and not a stream pair: the end of the peer (FIN or RST) must be seen at once, also
while a script sends or sleeps, and pings of a WebSocket are answered whatever the script does.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from codex_api.testing.recording import RecordedRequest
from codex_api.testing.websocket_peer import Deflate, PeerGoneError, WebSocketLog, WebSocketPeer

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.testing.wire import HeaderPairs

Ending = Literal["eof", "reset", "server"]

# Enough to look at what was framed, without keeping a large upload in memory.
MAX_KEPT_BYTES = 1 << 20


@dataclass(slots=True, eq=False)
class ConnectionRecord:
    """What happened on one connection.

    Attributes:
        received: The first MiB of what the client sent.
        requests: HTTP requests, handshakes of WebSockets included.
        websocket: What the client sent over a WebSocket.
        ending: ``eof`` or ``reset`` when the client ended it, ``server`` when the script did, None
            while it is open.
        actions_played: Number of actions of the script that were finished.
    """

    number: int
    received: bytearray = field(default_factory=bytearray)
    requests: list[RecordedRequest] = field(default_factory=list[RecordedRequest])
    websocket: WebSocketLog = field(default_factory=WebSocketLog)
    ending: Ending | None = None
    actions_played: int = 0


class Connection(asyncio.Protocol):
    """Reads requests and messages, writes bytes, and tells who ended the connection."""

    def __init__(
        self,
        record: ConnectionRecord,
        on_request: Callable[[RecordedRequest], None],
        on_change: Callable[[], None],
    ) -> None:
        self.record = record
        self.made: asyncio.Event = asyncio.Event()
        self.ended: asyncio.Event = asyncio.Event()
        self._on_request = on_request
        self._on_change = on_change
        self._buffer = bytearray()
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self._websocket: WebSocketPeer | None = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.made.set()
            if self.ended.is_set():  # the server stopped between accepting it and here
                transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        room = MAX_KEPT_BYTES - len(self.record.received)
        self.record.received += data[: max(room, 0)]
        if self._websocket is None:
            self._buffer += data
        else:
            self._feed_websocket(data)
        self._notify()

    def eof_received(self) -> bool:
        """Note the FIN, and stay able to send where the protocol allows it: TLS does not."""
        self._end("eof")
        return self._transport is not None and not self._transport.get_extra_info("sslcontext")

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self._end("server" if exc is None else "reset")
        self._transport = None  # one of TLS that was lost can no longer be asked for its socket
        self._writable.set()

    def pause_writing(self) -> None:
        """Make writers wait: the client reads too slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._writable.set()

    @property
    def is_lost(self) -> bool:
        """Whether the transport has come and gone."""
        return self.made.is_set() and self._transport is None

    # What actions call

    async def read_request(self) -> RecordedRequest | None:
        """Read and record one HTTP request; None when the client ended the connection instead."""
        head = await self._take_until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = [(name, value.strip()) for name, _, value in (x.partition(":") for x in lines)]
        lowered = {name.lower(): value.lower() for name, value in headers}
        if lowered.get("expect") == "100-continue":
            await self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await self._read_body(lowered)
        if body is None:
            return None
        request = RecordedRequest(
            method=method, target=target, headers=headers, body=body, connection=self.record.number
        )
        self.record.requests.append(request)
        self._on_request(request)
        return request

    async def write(self, data: bytes) -> None:
        """Send ``data`` and wait while the client reads too slowly.

        Raises:
            PeerGoneError: The client is gone.
        """
        transport = self._open_transport()
        if data:
            transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()
            # What wakes a writer may be the end of the connection, with bytes not sent.
            self._open_transport()
        # One turn of the loop: the transport notices a dead socket only there.
        await asyncio.sleep(0)

    def close(self) -> None:
        """Send what is left, then a FIN."""
        if self._transport is not None:
            self._end("server")
            # Closed twice, a transport of TLS forgets its socket and can no longer be reset.
            if not self._transport.is_closing():
                self._transport.close()

    def reset(self) -> None:
        """Send an RST; data that the kernel still holds is dropped."""
        self._end("server")
        if self._transport is not None:
            raw = self._transport.get_extra_info("socket")
            # It may be gone without anybody having noticed; TLS forgets its socket then.
            with suppress(OSError, AttributeError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def pause_reading(self) -> None:
        """Take no more bytes of the client, so that its send buffer fills."""
        self._open_transport().pause_reading()

    async def accept_websocket(
        self,
        headers: HeaderPairs,
        deflate: Deflate | None,
        *,
        answers_pings: bool,
        request: RecordedRequest | None = None,
    ) -> None:
        """Answer the handshake with 101; None reads it first."""
        request = request or await self.read_request()
        if request is None:
            raise PeerGoneError
        peer = WebSocketPeer(self.record.websocket, deflate, answers_pings=answers_pings)
        await self.write(peer.accept(request, headers))
        self._websocket = peer
        if early := bytes(self._buffer):
            self._buffer.clear()
            self._feed_websocket(early)

    async def read_message(self) -> str | bytes:
        """Return the next WebSocket message.

        Raises:
            PeerGoneError: The client closed instead.
        """
        peer = self.websocket
        while not peer.unread:
            if self.ended.is_set() or self.record.websocket.close_code is not None:
                raise PeerGoneError
            await self._next_news()
        return peer.unread.pop(0)

    @property
    def websocket(self) -> WebSocketPeer:
        """The WebSocket that was accepted on this connection."""
        if self._websocket is None:
            message = "no WebSocket was accepted on this connection"
            raise RuntimeError(message)
        return self._websocket

    # Inner works

    def _feed_websocket(self, data: bytes) -> None:
        peer = self._websocket
        if peer is None or self._transport is None:
            return
        self._transport.write(peer.feed(data))
        if peer.is_through:
            self._end("eof" if peer.client_closed_first else "server")
            self._transport.close()

    async def _read_body(self, headers: dict[str, str]) -> bytes | None:
        if "chunked" not in headers.get("transfer-encoding", ""):
            return await self._take(int(headers.get("content-length", "0")))
        body = bytearray()
        while True:
            line = await self._take_until(b"\r\n")
            if line is None:
                return None
            size = int(line.split(b";")[0], 16)
            data = await self._take(size + 2)
            if data is None:
                return None
            if size == 0:
                return bytes(body)
            body += data[:-2]

    async def _take_until(self, mark: bytes) -> bytes | None:
        seen = 0
        while (at := self._buffer.find(mark, seen)) < 0:
            seen = max(len(self._buffer) - len(mark) + 1, 0)
            if self.ended.is_set():
                return None
            await self._next_news()
        return await self._take(at + len(mark))

    async def _take(self, size: int) -> bytes | None:
        while len(self._buffer) < size:
            if self.ended.is_set():
                return None
            await self._next_news()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _next_news(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _notify(self) -> None:
        self._news.set()
        self._on_change()

    def _end(self, how: Ending) -> None:
        if self.record.ending is None:
            self.record.ending = how
        self.ended.set()
        self._notify()

    def _open_transport(self) -> asyncio.Transport:
        if self._transport is None or self.ended.is_set() or self._transport.is_closing():
            raise PeerGoneError
        return self._transport
