"""WebSocket connections for both worlds, over the ``websockets`` package and nothing else.

Rules that hold for every connection made here: redirects are not followed, since they would carry
our credentials to another host; no ping is sent unasked; pings are answered; the handshake's own
fields come first and in title case, ours follow in lower case, the extension offer is last.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from asyncio.events import (
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]  # None where there is none
)
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from websockets import exceptions as ws_errors
from websockets.protocol import State

from codex_api.transport.errors import (
    ClientStateError,
    CodexApiError,
    EventTooLargeError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.transport.network import apply_keepalive, proxy_for
from codex_api.transport.tls import ssl_context
from codex_api.transport.websocket_handshake import (
    AsyncConnect,
    AsyncConnection,
    Protocol,
    SyncConnect,
    SyncConnection,
    Upgrade,
    connect_error,
    upgrade_of,
)

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers
    from codex_api.transport.network import Network

__all__ = ["AsyncWebSocket", "WebSocket", "connect", "connect_async"]

MAX_MESSAGE_BYTES = 64 << 20
# A peer that does not answer our close frame is not waited for any longer.
_CLOSE_TIMEOUT = 2.0
# Frames held before reading stops: enough for a burst of deltas, few enough to bound memory.
_QUEUE_FRAMES = 64


class _Socket:
    """What both kinds share: facts of the handshake, and the process that may use them."""

    def __init__(self, upgrade: Upgrade, protocol: Protocol) -> None:
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

    def __init__(self, connection: SyncConnection, upgrade: Upgrade) -> None:
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

    def __init__(self, connection: AsyncConnection, upgrade: Upgrade) -> None:
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
        connection = SyncConnect(
            url, create_connection=SyncConnection, open_timeout=connect_timeout, **options
        ).connect()
    except Exception as exc:
        raise connect_error(exc, url, connect_timeout) from exc
    assert isinstance(connection, SyncConnection)  # noqa: S101 - what create_connection makes
    with suppress(OSError):  # the server may have closed it again
        apply_keepalive(network, connection.socket)
    return WebSocket(connection, upgrade_of(url, connection))


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
        connection = await AsyncConnect(
            url, create_connection=AsyncConnection, open_timeout=connect_timeout, **options
        )
    except Exception as exc:
        raise connect_error(exc, url, connect_timeout) from exc
    assert isinstance(connection, AsyncConnection)  # noqa: S101 - what create_connection makes
    with suppress(OSError):  # the server may have closed it again
        apply_keepalive(network, connection.transport.get_extra_info("socket"))
    return AsyncWebSocket(connection, upgrade_of(url, connection))


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
