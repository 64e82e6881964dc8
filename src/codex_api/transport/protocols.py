"""What a transport has to do, so that another one can take its place.

A transport performs single attempts. It follows no redirect, retries nothing, raises for no status
and adds no header of its own beyond what HTTP needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import Request, Response
    from codex_api.transport.network import Network
    from codex_api.transport.websocket import WebSocket
    from codex_api.transport.websocket_async import AsyncWebSocket


class StreamResponse(Protocol):
    """An answer whose body is still arriving. Whoever got it closes it."""

    @property
    def status(self) -> int:
        """Status code."""
        ...

    @property
    def headers(self) -> Headers:
        """Header fields, in the order in which they came."""
        ...

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        """Wait for the next piece of the body, of any size.

        Args:
            timeout: Seconds to wait; None waits without limit. After a timeout the next call goes
                on where this one stopped.

        Returns:
            Bytes, or None at the end of the body.

        Raises:
            TransportTimeoutError: Nothing came in time.
            NetworkError: The connection broke before the body was complete.
        """
        ...

    def close(self) -> None:
        """Close the connection at once. May be called twice."""
        ...


class Transport(Protocol):
    """Performs blocking HTTP. Safe to share between threads."""

    def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer, whatever its status.

        Args:
            request: Its body is ``RawBody``, ``StreamedBody`` or None.
            timeout: Seconds until the answer is complete; None sets no limit.

        Raises:
            RequestBuildError: The request cannot be sent as it is.
            TransportTimeoutError: The answer was not complete in time.
            NetworkError: The connection could not be made, or broke.
            ClientStateError: The transport is closed or from another process.
        """
        ...

    def stream(self, request: Request, timeout: float | None = None) -> StreamResponse:
        """Send a request and return when the head of the answer is there.

        Args:
            request: As for ``execute``.
            timeout: Seconds until the head is there; None sets no limit.

        Raises:
            TransportError: As ``execute``.
        """
        ...

    def close(self) -> None:
        """Close idle connections and refuse further requests. May be called twice."""
        ...


class InterruptibleTransport(Transport, Protocol):
    """A transport whose streamed calls can be given up before their head is there; others need not.

    ``ResponseStream.close`` then ends the wait of another thread that is opening the stream.
    """

    def interruptible_stream(
        self,
        request: Request,
        timeout: float | None,
        begun: Callable[[Callable[[], None]], None],
    ) -> StreamResponse:
        """Do as ``stream`` does, and tell how to give it up.

        Args:
            request: As for ``stream``.
            timeout: As for ``stream``.
            begun: Called before anything of the request is sent, with a function that closes its
                connection; that may be called again, from any thread and at any time, and the wait
                ends with a ``TransportError``. What ``begun`` raises is raised, and nothing sent.

        Raises:
            TransportError: As ``execute``.
        """
        ...


@runtime_checkable
class WebSocketOpener(Protocol):
    """A transport that opens the WebSockets of its client as well; others need not."""

    def connect_websocket(
        self,
        url: str,
        headers: Headers,
        *,
        network: Network,
        deflate: bool,
        connect_timeout: float | None,
        max_message_bytes: int | None,
    ) -> WebSocket:
        """Open a connection, as ``codex_api.transport.websocket.connect`` does.

        Raises:
            TransportError: As ``connect``.
        """
        ...


class AsyncStreamResponse(Protocol):
    """``StreamResponse`` for asyncio; the reader sets its own limits by cancelling."""

    @property
    def status(self) -> int:
        """Status code."""
        ...

    @property
    def headers(self) -> Headers:
        """Header fields, in the order in which they came."""
        ...

    def read_chunk(self) -> Coroutine[Any, Any, bytes | None]:
        """Wait for the next piece of the body; cancelling loses nothing.

        Returns:
            Bytes, or None at the end of the body.

        Raises:
            NetworkError: The connection broke before the body was complete.
        """
        ...

    async def aclose(self) -> None:
        """Close the connection at once. May be called twice."""
        ...


class AsyncTransport(Protocol):
    """Performs HTTP under asyncio. Usable from several event loops, one after another."""

    async def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer; as ``Transport.execute``."""
        ...

    async def stream(self, request: Request, timeout: float | None = None) -> AsyncStreamResponse:
        """Send a request and return when the head of the answer is there."""
        ...

    async def aclose(self) -> None:
        """Close idle connections and refuse further requests. May be called twice."""
        ...


class AsyncInterruptibleTransport(AsyncTransport, Protocol):
    """``InterruptibleTransport`` for asyncio."""

    async def interruptible_stream(
        self,
        request: Request,
        timeout: float | None,
        begun: Callable[[Callable[[], Coroutine[Any, Any, None]]], None],
    ) -> AsyncStreamResponse:
        """Do as ``stream`` does, and tell ``begun`` how to give it up, from any event loop."""
        ...


@runtime_checkable
class AsyncWebSocketOpener(Protocol):
    """``WebSocketOpener`` for asyncio."""

    async def connect_websocket(
        self,
        url: str,
        headers: Headers,
        *,
        network: Network,
        deflate: bool,
        connect_timeout: float | None,
        max_message_bytes: int | None,
    ) -> AsyncWebSocket:
        """Open a connection, as ``codex_api.transport.websocket_async.connect_async`` does."""
        ...
