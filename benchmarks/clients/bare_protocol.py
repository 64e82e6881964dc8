"""The floor of asyncio rows: a protocol, msgspec and nothing else.

Over TLS it is a protocol on ``ssl.MemoryBIO``, which costs less than asyncio's own TLS transport.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Self

from benchmarks.clients import typed
from benchmarks.clients.framing import EventReader, request

if TYPE_CHECKING:
    from benchmarks.server import Origin

NAME = "bare protocol"
_READ_BYTES = 1 << 18


class Connection(asyncio.Protocol):
    """One connection, kept alive; what comes goes to ``receive``."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._waiter: asyncio.Future[None] | None = None
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ready = False
        self.transport: asyncio.Transport
        if context is not None:
            self._tls = context.wrap_bio(
                self._incoming, self._outgoing, server_hostname="127.0.0.1"
            )
            self.data_received = self._data_received_tls  # type: ignore[method-assign]  # cheaper than a test for each read

    @classmethod
    async def open(cls, origin: Origin) -> Self:
        loop = asyncio.get_running_loop()
        _, self = await loop.create_connection(
            lambda: cls(origin.context), "127.0.0.1", origin.port
        )
        if self._tls is not None:
            self._handshake()
            while not self._ready:
                await self.wait()
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._wake(exc)

    def data_received(self, data: bytes) -> None:
        self.receive(data)
        self._wake()

    def _data_received_tls(self, data: bytes) -> None:
        assert self._tls is not None
        self._incoming.write(data)
        if not self._ready:
            self._handshake()
        read = self._tls.read
        try:
            while decrypted := read(_READ_BYTES):
                self.receive(decrypted)
        except ssl.SSLWantReadError:
            pass
        self._wake()

    def _handshake(self) -> None:
        assert self._tls is not None
        try:
            self._tls.do_handshake()
            self._ready = True
        except ssl.SSLWantReadError:
            pass
        self.transport.write(self._outgoing.read())

    def receive(self, data: bytes) -> None:
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        self.transport.write(data)

    async def wait(self) -> None:
        """Wait until something was received."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self, exc: Exception | None = None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None) if exc is None else waiter.set_exception(exc)


class Stream(Connection):
    """Carries one streamed answer after another."""

    reader: EventReader
    events: list[typed.Event]

    def begin(self, path: str) -> None:
        self.reader, self.events = EventReader(), []
        self.send(request("POST", path, typed.BODY))

    def receive(self, data: bytes) -> None:
        self.events += self.reader.feed(data)

    async def batch(self) -> list[typed.Event]:
        """Return what has come since the last call; empty at the end of the answer."""
        while not self.events:
            if self.reader.is_complete:
                return []
            await self.wait()
        events, self.events = self.events, []
        return events


class Client:
    """One connection, made on first use."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._connection: Stream | None = None

    async def stream(self, path: str) -> int:
        if self._connection is None:
            self._connection = await Stream.open(self._origin)
        connection, count = self._connection, 0
        connection.begin(path)
        while events := await connection.batch():
            for event in events:
                count += type(event) is typed.Delta
        return count


class Call(Connection):
    """Carries one unary call after another."""

    _answer: bytes | None = None
    _partial = b""

    def receive(self, data: bytes) -> None:
        data = self._partial + data
        head = data.find(b"\r\n\r\n")
        if head >= 0:
            at = data.index(b"content-length: ") + 16
            end = head + 4 + int(data[at : data.index(b"\r\n", at)])
            if len(data) >= end:
                assert data.startswith(b"HTTP/1.1 200 ")
                self._answer, self._partial = data[head + 4 : end], data[end:]
                return
        self._partial = data

    async def compact(self, path: str, body: bytes) -> typed.Compacted:
        self._answer = None
        self.send(request("POST", path, body, "application/json"))
        while self._answer is None:
            await self.wait()
        return typed.decode_compacted(self._answer)
