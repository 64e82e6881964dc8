"""WebSocket connections for both worlds, over the ``websockets`` package and nothing else.

Rules that hold for every connection made here: redirects are not followed, since they would carry
our credentials to another host; no ping is sent unasked; pings are answered; the handshake's own
fields come first and in title case, ours follow in lower case, the extension offer is last.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from asyncio.events import (
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]  # None where there is none
)
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from websockets import exceptions as ws_errors
from websockets.asyncio import client as asyncio_client
from websockets.client import ClientProtocol
from websockets.datastructures import Headers as WireHeaders
from websockets.protocol import State
from websockets.sync import client as sync_client

from codex_api.transport._core.flow import status_error
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import public_url
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.errors import (
    ClientStateError,
    CodexApiError,
    ConnectTimeoutError,
    EventTooLargeError,
    HttpStatusError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.transport.network import apply_keepalive, proxy_for, ssl_context

if TYPE_CHECKING:
    from websockets.http11 import Request

    from codex_api.transport.network import Network

__all__ = ["AsyncWebSocket", "WebSocket", "connect", "connect_async"]

MAX_MESSAGE_BYTES = 64 << 20
# A peer that does not answer our close frame is not waited for any longer.
_CLOSE_TIMEOUT = 2.0
# Frames held before reading stops: enough for a burst of deltas, few enough to bound memory.
_QUEUE_FRAMES = 64
_FIRST_FIELDS = (
    "Host",
    "Connection",
    "Upgrade",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Key",
)
_LAST_FIELD = "sec-websocket-extensions"
_SWITCHING_PROTOCOLS = 101


class _Protocol(ClientProtocol):
    """The sans-I/O client, with our order of handshake fields and a clock on incoming bytes."""

    last_activity: float = 0.0

    @classmethod
    def replacing(cls, protocol: ClientProtocol) -> _Protocol:
        return cls(
            protocol.uri,
            extensions=protocol.available_extensions,
            max_size=protocol.max_message_size,
        )

    def send_request(self, request: Request) -> None:
        request.headers = _in_wire_order(request.headers)
        super().send_request(request)

    def receive_data(self, data: bytes | bytearray) -> None:
        self.last_activity = time.monotonic()
        super().receive_data(data)


def _in_wire_order(headers: WireHeaders) -> WireHeaders:
    first = {name.lower(): name for name in _FIRST_FIELDS}
    ordered = WireHeaders((name, headers[name]) for name in _FIRST_FIELDS)
    last: list[str] = []
    for name, value in headers.raw_items():
        lower = name.lower()
        if lower == _LAST_FIELD:
            last.append(value)
        elif lower not in first:
            ordered[lower] = value
    for value in last:
        ordered[_LAST_FIELD] = value
    return ordered


class _SyncConnection(sync_client.ClientConnection):
    def __init__(
        self,
        sock: socket.socket,
        protocol: ClientProtocol,
        **options: Any,  # noqa: ANN401 - handed on
    ) -> None:
        self.activity = _Protocol.replacing(protocol)
        super().__init__(sock, self.activity, **options)

    def maybe_raise_legacy_warning(self) -> None:
        """Stay silent: we own the connection and close it ourselves."""


class _AsyncConnection(asyncio_client.ClientConnection):
    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:  # noqa: ANN401 - handed on
        self.activity = _Protocol.replacing(protocol)
        super().__init__(self.activity, **options)


class _SyncConnect(sync_client.reconnect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _AsyncConnect(asyncio_client.connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What the server answered to the handshake."""

    url: str
    status: int
    headers: Headers


class _Socket:
    """What both kinds share: facts of the handshake, and the process that may use them."""

    def __init__(self, upgrade: Upgrade, protocol: _Protocol) -> None:
        self.upgrade = upgrade
        self._protocol = protocol
        self._pid = os.getpid()

    @property
    def status(self) -> int:
        """HTTP status of the handshake: 101."""
        return self.upgrade.status

    @property
    def headers(self) -> Headers:
        """Header fields of the answer to the handshake."""
        return self.upgrade.headers

    @property
    def last_activity(self) -> float:
        """``time.monotonic()`` of the last bytes received: messages, pings and pongs alike."""
        return self._protocol.last_activity

    @property
    def silence(self) -> float:
        """Seconds since bytes were last received."""
        return time.monotonic() - self._protocol.last_activity

    @property
    def is_closed(self) -> bool:
        """Whether either side has started to close, or the connection is gone."""
        return self._protocol.state is not State.OPEN

    def check_owner(self) -> None:
        """Refuse a use from where the connection was not opened.

        Raises:
            ClientStateError: It belongs to another process, or to another event loop.
        """
        if os.getpid() != self._pid:
            message = "this WebSocket was opened by the parent process: open one after the fork"
            raise ClientStateError(message)


class WebSocket(_Socket):
    """A blocking connection. One thread may read while another sends."""

    def __init__(self, connection: _SyncConnection, upgrade: Upgrade) -> None:
        super().__init__(upgrade, connection.activity)
        self._connection = connection

    @property
    def is_ours(self) -> bool:
        """Whether the calling process opened the connection."""
        return os.getpid() == self._pid

    def send(self, text: str | bytes, timeout: float | None = None) -> None:
        """Send one text message.

        Args:
            text: The message; bytes must be UTF-8.
            timeout: Seconds until the operating system has taken all of it; None waits for ever.

        Raises:
            TransportTimeoutError: The peer did not read in time. The connection is of no more use.
            WebSocketClosedError: The connection is closed.
            ClientStateError: The process forked since the connection was opened.
        """
        self.check_owner()
        connection = self._connection
        try:
            # Reading waits for readiness first, so this limit is never felt there.
            connection.socket.settimeout(timeout)
            connection.send(text, text=True)
            with suppress(OSError):  # closed since: the message is out all the same
                connection.socket.settimeout(None)
        except ws_errors.ConnectionClosed as exc:
            if isinstance(exc.__cause__, TimeoutError):
                raise _send_timeout(timeout) from exc
            raise _closed(exc) from exc
        except OSError as exc:
            raise WebSocketClosedError("the WebSocket is closed") from exc

    def recv(self, timeout: float | None = None) -> str | bytes:
        """Give the next message: text as ``str``, binary as ``bytes``.

        Args:
            timeout: Seconds to wait; None waits for ever. The connection stays usable after it.

        Raises:
            TransportTimeoutError: No message came in time.
            WebSocketClosedError: The connection is closed and all messages are read.
            EventTooLargeError: A message is larger than ``max_message_bytes``.
            ClientStateError: Another thread is reading, or the process forked.
        """
        self.check_owner()
        try:
            return self._connection.recv(timeout)
        except TimeoutError as exc:
            message = f"no WebSocket message within {timeout} s"
            raise TransportTimeoutError(message) from exc
        except ws_errors.ConcurrencyError as exc:
            raise ClientStateError("another thread is reading from this WebSocket") from exc
        except ws_errors.ConnectionClosed as exc:
            raise _closed(exc) from exc

    def ping(self) -> None:
        """Send a ping without waiting for its pong, which counts as activity.

        Raises:
            WebSocketClosedError: The connection is closed.
        """
        self.check_owner()
        try:
            self._connection.ping()
        except ws_errors.ConnectionClosed as exc:
            raise _closed(exc) from exc

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame, and wait a moment for the peer's. May be called again."""
        if os.getpid() == self._pid:
            self._connection.close(code, reason)

    def abort(self) -> None:
        """Drop the connection now, without a close frame. May be called from any thread, again."""
        if os.getpid() != self._pid:
            return
        connection = self._connection
        with suppress(OSError):
            # Wakes a send that is stuck in the other thread; closing alone does not.
            connection.socket.shutdown(socket.SHUT_RDWR)
        connection.close_socket()
        connection.recv_events_thread.join()


class AsyncWebSocket(_Socket):
    """A connection of one event loop. One task may read while others send."""

    def __init__(self, connection: _AsyncConnection, upgrade: Upgrade) -> None:
        super().__init__(upgrade, connection.activity)
        self._connection = connection
        self._loop = connection.loop

    @property
    def is_ours(self) -> bool:
        """Whether the running event loop opened the connection, in this process."""
        return os.getpid() == self._pid and asyncio.get_running_loop() is self.loop

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the connection belongs to."""
        return self._connection.loop

    async def send(self, text: str | bytes, timeout: float | None = None) -> None:
        """Send one text message, as ``WebSocket.send`` does.

        Raises:
            ClientStateError: The connection belongs to another event loop or process.
        """
        self.check_owner()
        try:
            async with asyncio.timeout(timeout):
                await self._connection.send(text, text=True)
        except TimeoutError as exc:
            raise _send_timeout(timeout) from exc
        except ws_errors.ConnectionClosed as exc:
            raise _closed(exc) from exc

    async def recv(self) -> str | bytes:
        """Give the next message, as ``WebSocket.recv`` does without a limit. Safe to cancel.

        Raises:
            ClientStateError: Another task is reading, or the connection belongs to another event
                loop or process.
        """
        if _get_running_loop() is not self._loop:  # also when this is a forked child
            self.check_owner()
        try:
            return await self._connection.recv()
        except ws_errors.ConcurrencyError as exc:
            raise ClientStateError("another task is reading from this WebSocket") from exc
        except ws_errors.ConnectionClosed as exc:
            raise _closed(exc) from exc

    async def ping(self) -> None:
        """Send a ping without waiting for its pong, which counts as activity.

        Raises:
            WebSocketClosedError: The connection is closed.
        """
        self.check_owner()
        try:
            await self._connection.ping()
        except ws_errors.ConnectionClosed as exc:
            raise _closed(exc) from exc

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame, and wait a moment for the peer's. May be called again."""
        if os.getpid() == self._pid and asyncio.get_running_loop() is self.loop:
            await self._connection.close(code, reason)
        else:
            self.abort()

    def abort(self) -> None:
        """Drop the connection now, without a close frame. May be called from any thread, again."""
        if os.getpid() != self._pid or self._loop.is_closed():
            return
        abort = self._connection.transport.abort
        if _get_running_loop() is self._loop:
            abort()
        else:
            with suppress(RuntimeError):  # the loop was closed in this very moment
                self._loop.call_soon_threadsafe(abort)

    def check_owner(self) -> None:
        """Refuse a use from another process or another event loop."""
        super().check_owner()
        if asyncio.get_running_loop() is not self.loop:
            message = "this WebSocket belongs to another event loop: open one in this loop"
            raise ClientStateError(message)


def connect(
    url: str,
    headers: Headers,
    *,
    network: Network,
    deflate: bool,
    connect_timeout: float | None,
    max_message_bytes: int | None = MAX_MESSAGE_BYTES,
) -> WebSocket:
    """Open a blocking connection.

    Args:
        url: A ``ws`` or ``wss`` URL.
        headers: Fields of the handshake, credentials included.
        network: CA bundle, proxies and keep-alive settings.
        deflate: Whether permessage-deflate is offered.
        connect_timeout: Seconds for TCP, TLS and the handshake together; None sets no limit.
        max_message_bytes: Largest message that may come in; None sets no limit.

    Raises:
        HttpStatusError: The server answered the handshake with another status than 101.
        ConnectTimeoutError: The connection was not up in time.
        NetworkError: It could not be made.
        RequestBuildError: URL, header, proxy or CA settings cannot be used.
    """
    options = _options(url, headers, network, deflate=deflate, limit=max_message_bytes)
    try:
        connection = _SyncConnect(
            url, create_connection=_SyncConnection, open_timeout=connect_timeout, **options
        ).connect()
    except Exception as exc:
        raise _connect_error(exc, url, connect_timeout) from exc
    assert isinstance(connection, _SyncConnection)  # noqa: S101 - what create_connection makes
    with suppress(OSError):  # the server may have closed it again
        apply_keepalive(network, connection.socket)
    return WebSocket(connection, _upgrade(url, connection))


async def connect_async(
    url: str,
    headers: Headers,
    *,
    network: Network,
    deflate: bool,
    connect_timeout: float | None,
    max_message_bytes: int | None = MAX_MESSAGE_BYTES,
) -> AsyncWebSocket:
    """Open a connection in the running event loop; the rest is as in ``connect``."""
    options = _options(url, headers, network, deflate=deflate, limit=max_message_bytes)
    try:
        connection = await _AsyncConnect(
            url, create_connection=_AsyncConnection, open_timeout=connect_timeout, **options
        )
    except Exception as exc:
        raise _connect_error(exc, url, connect_timeout) from exc
    assert isinstance(connection, _AsyncConnection)  # noqa: S101 - what create_connection makes
    with suppress(OSError):  # the server may have closed it again
        apply_keepalive(network, connection.transport.get_extra_info("socket"))
    return AsyncWebSocket(connection, _upgrade(url, connection))


def _options(
    url: str, headers: Headers, network: Network, *, deflate: bool, limit: int | None
) -> dict[str, Any]:
    options: dict[str, Any] = {
        "additional_headers": list(headers.items()),
        "user_agent_header": None,
        "compression": "deflate" if deflate else None,
        "proxy": proxy_for(network, url),
        "ping_interval": None,
        "close_timeout": _CLOSE_TIMEOUT,
        "max_size": limit,
        "max_queue": _QUEUE_FRAMES,
    }
    if urlsplit(url).scheme == "wss":
        options["ssl"] = ssl_context(network)
    if urlsplit(options["proxy"] or "").scheme == "https":
        options["proxy_ssl"] = ssl_context(network)
    return options


def _upgrade(url: str, connection: _SyncConnection | _AsyncConnection) -> Upgrade:
    response = connection.response
    if response is None:
        return Upgrade(public_url(url), _SWITCHING_PROTOCOLS, Headers())
    fields = Headers.lenient(response.headers.raw_items())
    return Upgrade(public_url(url), response.status_code, fields)


def _connect_error(  # noqa: PLR0911 - one arm a cause
    exc: Exception, url: str, timeout: float | None
) -> CodexApiError:
    match exc:
        case CodexApiError():
            return exc
        case ws_errors.InvalidStatus():
            return _rejection(exc, url)
        case TimeoutError():
            return ConnectTimeoutError(f"the WebSocket was not up within {timeout} s")
        case ssl.SSLCertVerificationError():
            message = f"the server's certificate is not trusted: {exc.verify_message}"
            return NetworkError(message, retryable=False)
        case ws_errors.InvalidURI() | ws_errors.InvalidProxy() | ValueError() | ImportError():
            return RequestBuildError(f"the WebSocket cannot be opened: {type(exc).__name__}")
        case ws_errors.InvalidProxyStatus():
            status = exc.response.status_code
            return NetworkError(f"the proxy refused the WebSocket with status {status}")
        case ws_errors.InvalidMessage() if isinstance(exc.__cause__, EOFError):
            return NetworkError("the server closed the connection during the WebSocket handshake")
        case OSError():
            return NetworkError(f"the WebSocket could not be opened: {exc.strerror or exc}")
        case _:
            return NetworkError(f"the WebSocket handshake failed: {exc}")


def _rejection(exc: ws_errors.InvalidStatus, url: str) -> HttpStatusError:
    response = exc.response
    headers = Headers.lenient(response.headers.raw_items())
    body = bytes(response.body)
    return status_error(response.status_code, url, headers, body, RetryConfig(), time.time())


def _send_timeout(timeout: float | None) -> TransportTimeoutError:
    return TransportTimeoutError(f"the WebSocket message was not taken within {timeout} s")


def _closed(exc: ws_errors.ConnectionClosed) -> CodexApiError:
    if isinstance(exc.__cause__, ws_errors.PayloadTooBig | ws_errors.TooManyFragments):
        return EventTooLargeError("a WebSocket message is larger than the limit")
    if exc.rcvd is not None:
        code, reason = exc.rcvd.code, exc.rcvd.reason
        said = f": {reason[:200]}" if reason else ""
        message = f"the server closed the WebSocket with code {code}{said}"
        return WebSocketClosedError(message, code=code, reason=reason)
    if isinstance(exc.__cause__, ws_errors.ProtocolError | UnicodeDecodeError):
        return WebSocketClosedError("the server broke the WebSocket protocol")
    return WebSocketClosedError("the WebSocket was lost without a close frame")
