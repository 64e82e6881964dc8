"""Transports that record what passes through them: HTTP, and the WebSockets of a client.

Give one to a client as its ``transport``. It opens the client's WebSockets as well, which are
recorded message by message, as the client sends and takes them.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Request
from codex_api.transport.errors import (
    HttpStatusError,
    TransportError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.transport.websocket import WebSocket, connect
from codex_api.transport.websocket_async import AsyncWebSocket, connect_async

if TYPE_CHECKING:
    from collections.abc import Generator

    from codex_api.testing.cassettes import Cassette
    from codex_api.transport._core.messages import Response
    from codex_api.transport._core.websocket import WebSocketMachine
    from codex_api.transport.channel import Channel
    from codex_api.transport.channel_async import AsyncChannel
    from codex_api.transport.network import Network
    from codex_api.transport.protocols import (
        AsyncStreamResponse,
        AsyncTransport,
        StreamResponse,
        Transport,
    )
    from codex_api.transport.websocket_handshake import Upgrade


class RecordingTransport:
    """Passes everything to another transport, and records it."""

    def __init__(self, inner: Transport, cassette: Cassette) -> None:
        self._inner = inner
        self._cassette = cassette

    def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request, and record the whole answer."""
        exchange = _Exchange(self._cassette, request)
        with exchange.ending():
            response = self._inner.execute(request, timeout)
        exchange.note_answer(response.status, response.headers, response.body)
        return response

    def stream(self, request: Request, timeout: float | None = None) -> StreamResponse:
        """Send a request, and record what is read of the answer."""
        exchange = _Exchange(self._cassette, request)
        with exchange.ending():
            response = self._inner.stream(request, timeout)
        exchange.note_head(response.status, response.headers)
        return _RecordedStream(response, exchange)

    def connect_websocket(
        self,
        url: str,
        headers: Headers,
        *,
        network: Network,
        deflate: bool,
        connect_timeout: float | None,
        max_message_bytes: int | None,
        noted: str | None = None,
    ) -> WebSocket:
        """Open a WebSocket whose messages are recorded; the arguments are those of ``connect``.

        Args:
            noted: URL to record instead, as that of a proxy.
        """
        request = Request(method="GET", url=noted or url, headers=headers)
        exchange = _Exchange(self._cassette, request, is_websocket=True)
        address = iter((url,))
        del url, noted  # a traceback with locals would show the query
        with exchange.opening():
            socket = connect(
                next(address),
                headers,
                network=network,
                deflate=deflate,
                connect_timeout=connect_timeout,
                max_message_bytes=max_message_bytes,
                kind=partial(_RecordedWebSocket, exchange),
            )
        exchange.note_head(socket.status, socket.headers)
        return socket

    def close(self) -> None:
        """Close the other transport."""
        self._inner.close()


class AsyncRecordingTransport:
    """`RecordingTransport` for asyncio."""

    def __init__(self, inner: AsyncTransport, cassette: Cassette) -> None:
        self._inner = inner
        self._cassette = cassette

    async def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request, and record the whole answer."""
        exchange = _Exchange(self._cassette, request)
        with exchange.ending():
            response = await self._inner.execute(request, timeout)
        exchange.note_answer(response.status, response.headers, response.body)
        return response

    async def stream(self, request: Request, timeout: float | None = None) -> AsyncStreamResponse:
        """Send a request, and record what is read of the answer."""
        exchange = _Exchange(self._cassette, request)
        with exchange.ending():
            response = await self._inner.stream(request, timeout)
        exchange.note_head(response.status, response.headers)
        return _AsyncRecordedStream(response, exchange)

    async def connect_websocket(
        self,
        url: str,
        headers: Headers,
        *,
        network: Network,
        deflate: bool,
        connect_timeout: float | None,
        max_message_bytes: int | None,
        noted: str | None = None,
    ) -> AsyncWebSocket:
        """Open a WebSocket whose messages are recorded; the arguments are those of ``connect``.

        Args:
            noted: URL to record instead, as that of a proxy.
        """
        request = Request(method="GET", url=noted or url, headers=headers)
        exchange = _Exchange(self._cassette, request, is_websocket=True)
        address = iter((url,))
        del url, noted  # a traceback with locals would show the query
        with exchange.opening():
            socket = await connect_async(
                next(address),
                headers,
                network=network,
                deflate=deflate,
                connect_timeout=connect_timeout,
                max_message_bytes=max_message_bytes,
                kind=partial(_AsyncRecordedWebSocket, exchange),
            )
        exchange.note_head(socket.status, socket.headers)
        return socket

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._inner.aclose()


class _Exchange:
    """One exchange in a cassette: what both fronts note of it, and when it ends."""

    def __init__(self, cassette: Cassette, request: Request, *, is_websocket: bool = False) -> None:
        self._cassette = cassette
        self._number = cassette.begin(request, is_websocket=is_websocket)

    def note_head(self, status: int, headers: Headers) -> None:
        self._cassette.head(self._number, status, headers)

    def note_answer(self, status: int, headers: Headers, body: bytes | None) -> None:
        self.note_head(status, headers)
        if body:
            self.note_chunk(body)
        self.note_chunk(None)

    def note_chunk(self, data: bytes | None) -> None:
        """Note a piece of the body; None is its end."""
        if data is None:
            self._cassette.end(self._number, "clean")
        else:
            self._cassette.chunk(self._number, bytes(data))

    def note_sent(self, message: str | bytes) -> None:
        # Noted before it is sent, since the answer may come before the call returns.
        text = message if isinstance(message, str) else message.decode(errors="replace")
        self._cassette.message(self._number, text, is_sent=True)

    def note_received(self, message: str | bytes) -> None:
        self._cassette.message(self._number, message, is_sent=False)

    def note_left(self) -> None:
        """Note that the client went; after the end that means nothing."""
        self._cassette.end(self._number, "left")

    @contextmanager
    def ending(self) -> Generator[None]:
        """Note a connection that breaks or is closed inside of the block."""
        try:
            yield
        except WebSocketClosedError as exc:
            if exc.code is None:
                self._cassette.end(self._number, "broken")
            else:
                self._cassette.end(self._number, "closed", code=exc.code, reason=exc.reason)
            raise
        except TransportTimeoutError:
            raise  # it may go on
        except TransportError:
            self._cassette.end(self._number, "broken")
            raise

    @contextmanager
    def opening(self) -> Generator[None]:
        """Note why there is no WebSocket: a refusal is an answer like any other."""
        try:
            yield
        except BaseException as exc:
            if isinstance(exc, HttpStatusError) and exc.status is not None:
                self.note_answer(exc.status, exc.headers or Headers(), exc.body)
            else:
                self._cassette.end(self._number, "broken")
            raise


class _RecordedStream:
    def __init__(self, inner: StreamResponse, exchange: _Exchange) -> None:
        self._inner = inner
        self._exchange = exchange

    @property
    def status(self) -> int:
        return self._inner.status

    @property
    def headers(self) -> Headers:
        return self._inner.headers

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        with self._exchange.ending():
            data = self._inner.read_chunk(timeout)
        self._exchange.note_chunk(data)
        return data

    def close(self) -> None:
        self._exchange.note_left()
        self._inner.close()


class _AsyncRecordedStream:
    def __init__(self, inner: AsyncStreamResponse, exchange: _Exchange) -> None:
        self._inner = inner
        self._exchange = exchange

    @property
    def status(self) -> int:
        return self._inner.status

    @property
    def headers(self) -> Headers:
        return self._inner.headers

    async def read_chunk(self) -> bytes | None:
        with self._exchange.ending():
            data = await self._inner.read_chunk()
        self._exchange.note_chunk(data)
        return data

    async def aclose(self) -> None:
        self._exchange.note_left()
        await self._inner.aclose()


class _RecordedWebSocket(WebSocket):
    def __init__(
        self, exchange: _Exchange, channel: Channel, upgrade: Upgrade, machine: WebSocketMachine
    ) -> None:
        super().__init__(channel, upgrade, machine)
        self._exchange = exchange

    def send(self, text: str | bytes, timeout: float | None = None) -> None:
        self._exchange.note_sent(text)
        super().send(text, timeout)

    def recv(self, timeout: float | None = None) -> str | bytes:
        with self._exchange.ending():
            message = super().recv(timeout)
        self._exchange.note_received(message)
        return message

    def take(self, count: int) -> None:
        for message in self.peek()[:count]:
            self._exchange.note_received(message)
        super().take(count)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._exchange.note_left()
        super().close(code, reason)

    def abort(self) -> None:
        self._exchange.note_left()
        super().abort()


class _AsyncRecordedWebSocket(AsyncWebSocket):
    def __init__(
        self,
        exchange: _Exchange,
        channel: AsyncChannel,
        upgrade: Upgrade,
        machine: WebSocketMachine,
    ) -> None:
        super().__init__(channel, upgrade, machine)
        self._exchange = exchange

    async def send(self, text: str | bytes, timeout: float | None = None) -> None:
        self._exchange.note_sent(text)
        await super().send(text, timeout)

    async def recv(self) -> str | bytes:
        with self._exchange.ending():
            message = await super().recv()
        self._exchange.note_received(message)
        return message

    def take(self, count: int) -> None:
        for message in self.peek()[:count]:
            self._exchange.note_received(message)
        super().take(count)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self._exchange.note_left()
        await super().close(code, reason)

    def abort(self) -> None:
        self._exchange.note_left()
        super().abort()
