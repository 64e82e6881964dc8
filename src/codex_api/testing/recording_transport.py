"""Transports that record what passes through them: HTTP, and the WebSockets of a client.

Give one to a client as its ``transport``. It opens the client's WebSockets as well, which are
recorded message by message, as the client sends and takes them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Request
from codex_api.transport.errors import (
    HttpStatusError,
    NetworkError,
    TransportError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.transport.websocket import WebSocket, connect
from codex_api.transport.websocket_async import AsyncWebSocket, connect_async

if TYPE_CHECKING:
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
        number = self._cassette.begin(request)
        response = self._inner.execute(request, timeout)
        _note_whole(self._cassette, number, response)
        return response

    def stream(self, request: Request, timeout: float | None = None) -> StreamResponse:
        """Send a request, and record what is read of the answer."""
        number = self._cassette.begin(request)
        response = self._inner.stream(request, timeout)
        self._cassette.head(number, response.status, response.headers)
        return _RecordedStream(response, self._cassette, number)

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
        number = self._cassette.begin(request, is_websocket=True)
        address = iter((url,))
        del url, noted  # a traceback with locals would show the query
        try:
            socket = connect(
                next(address),
                headers,
                network=network,
                deflate=deflate,
                connect_timeout=connect_timeout,
                max_message_bytes=max_message_bytes,
                kind=partial(_RecordedWebSocket, self._cassette, number),
            )
        except BaseException as exc:
            _note_refusal(self._cassette, number, exc)
            raise
        self._cassette.head(number, socket.status, socket.headers)
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
        number = self._cassette.begin(request)
        response = await self._inner.execute(request, timeout)
        _note_whole(self._cassette, number, response)
        return response

    async def stream(self, request: Request, timeout: float | None = None) -> AsyncStreamResponse:
        """Send a request, and record what is read of the answer."""
        number = self._cassette.begin(request)
        response = await self._inner.stream(request, timeout)
        self._cassette.head(number, response.status, response.headers)
        return _AsyncRecordedStream(response, self._cassette, number)

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
        number = self._cassette.begin(request, is_websocket=True)
        address = iter((url,))
        del url, noted  # a traceback with locals would show the query
        try:
            socket = await connect_async(
                next(address),
                headers,
                network=network,
                deflate=deflate,
                connect_timeout=connect_timeout,
                max_message_bytes=max_message_bytes,
                kind=partial(_AsyncRecordedWebSocket, self._cassette, number),
            )
        except BaseException as exc:
            _note_refusal(self._cassette, number, exc)
            raise
        self._cassette.head(number, socket.status, socket.headers)
        return socket

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._inner.aclose()


class _RecordedStream:
    def __init__(self, inner: StreamResponse, cassette: Cassette, number: int) -> None:
        self._inner = inner
        self._cassette = cassette
        self._number = number

    @property
    def status(self) -> int:
        return self._inner.status

    @property
    def headers(self) -> Headers:
        return self._inner.headers

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        try:
            data = self._inner.read_chunk(timeout)
        except NetworkError:
            self._cassette.end(self._number, "broken")
            raise
        _note_chunk(self._cassette, self._number, data)
        return data

    def close(self) -> None:
        self._cassette.end(self._number, "left")
        self._inner.close()


class _AsyncRecordedStream:
    def __init__(self, inner: AsyncStreamResponse, cassette: Cassette, number: int) -> None:
        self._inner = inner
        self._cassette = cassette
        self._number = number

    @property
    def status(self) -> int:
        return self._inner.status

    @property
    def headers(self) -> Headers:
        return self._inner.headers

    async def read_chunk(self) -> bytes | None:
        try:
            data = await self._inner.read_chunk()
        except NetworkError:
            self._cassette.end(self._number, "broken")
            raise
        _note_chunk(self._cassette, self._number, data)
        return data

    async def aclose(self) -> None:
        self._cassette.end(self._number, "left")
        await self._inner.aclose()


class _RecordedWebSocket(WebSocket):
    def __init__(
        self,
        cassette: Cassette,
        number: int,
        channel: Channel,
        upgrade: Upgrade,
        machine: WebSocketMachine,
    ) -> None:
        super().__init__(channel, upgrade, machine)
        self._cassette, self._number = cassette, number

    def send(self, text: str | bytes, timeout: float | None = None) -> None:
        # First, since the answer may come before the call returns.
        message = text if isinstance(text, str) else text.decode(errors="replace")
        self._cassette.message(self._number, message, is_sent=True)
        super().send(text, timeout)

    def recv(self, timeout: float | None = None) -> str | bytes:
        try:
            message = super().recv(timeout)
        except TransportTimeoutError:
            raise
        except TransportError as exc:
            _note_end(self._cassette, self._number, exc)
            raise
        self._cassette.message(self._number, message, is_sent=False)
        return message

    def take(self) -> str | bytes | None:
        message = super().take()
        if message is not None:
            self._cassette.message(self._number, message, is_sent=False)
        return message

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._cassette.end(self._number, "left")
        super().close(code, reason)

    def abort(self) -> None:
        self._cassette.end(self._number, "left")
        super().abort()


class _AsyncRecordedWebSocket(AsyncWebSocket):
    def __init__(
        self,
        cassette: Cassette,
        number: int,
        channel: AsyncChannel,
        upgrade: Upgrade,
        machine: WebSocketMachine,
    ) -> None:
        super().__init__(channel, upgrade, machine)
        self._cassette, self._number = cassette, number

    async def send(self, text: str | bytes, timeout: float | None = None) -> None:
        # First, since the answer may come before the call returns.
        message = text if isinstance(text, str) else text.decode(errors="replace")
        self._cassette.message(self._number, message, is_sent=True)
        await super().send(text, timeout)

    async def recv(self) -> str | bytes:
        try:
            message = await super().recv()
        except TransportTimeoutError:
            raise
        except TransportError as exc:
            _note_end(self._cassette, self._number, exc)
            raise
        self._cassette.message(self._number, message, is_sent=False)
        return message

    def take(self) -> str | bytes | None:
        message = super().take()
        if message is not None:
            self._cassette.message(self._number, message, is_sent=False)
        return message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self._cassette.end(self._number, "left")
        await super().close(code, reason)

    def abort(self) -> None:
        self._cassette.end(self._number, "left")
        super().abort()


def _note_whole(cassette: Cassette, number: int, response: Response) -> None:
    cassette.head(number, response.status, response.headers)
    if response.body:
        cassette.chunk(number, response.body)
    cassette.end(number, "clean")


def _note_chunk(cassette: Cassette, number: int, data: bytes | None) -> None:
    if data is None:
        cassette.end(number, "clean")
    else:
        cassette.chunk(number, bytes(data))


def _note_refusal(cassette: Cassette, number: int, exc: BaseException) -> None:
    """Note why there is no WebSocket: a refusal is an answer like any other."""
    if isinstance(exc, HttpStatusError) and exc.status is not None:
        cassette.head(number, exc.status, exc.headers or Headers())
        if exc.body:
            cassette.chunk(number, exc.body)
        cassette.end(number, "clean")
    else:
        cassette.end(number, "broken")


def _note_end(cassette: Cassette, number: int, exc: TransportError) -> None:
    code = exc.code if isinstance(exc, WebSocketClosedError) else None
    if code is None:
        cassette.end(number, "broken")
    else:
        reason = exc.reason if isinstance(exc, WebSocketClosedError) else ""
        cassette.end(number, "closed", code=code, reason=reason)
