"""WebSocket connections for both worlds, over the same connector as HTTP.

Rules that hold for every connection made here: redirects are not followed, since they would carry
our credentials to another host; no ping is sent unasked; pings are answered by whoever reads; the
handshake's own fields come first and in title case, ours follow in lower case, the extension offer
is last. Whatever ends a connection ends it at once, though the peer may leave TCP open.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from asyncio.events import (
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]  # None where there is none
)
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from codex_api.transport._core.route import parse_target, route_to
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    NetworkError,
    RequestBuildError,
    TransportError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.transport.network import proxy_for
from codex_api.transport.websocket_handshake import Handshake, Upgrade

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.route import Route
    from codex_api.transport._core.websocket import WebSocketMachine
    from codex_api.transport.channel import Channel
    from codex_api.transport.channel_async import AsyncChannel
    from codex_api.transport.network import Network

__all__ = ["AsyncWebSocket", "WebSocket", "connect", "connect_async"]

MAX_MESSAGE_BYTES = 64 << 20
# A peer that does not answer our close frame, or does not take our pong, is not waited for longer.
_CLOSE_TIMEOUT = 2.0
# How often is read for the peer's close frame; one that goes on talking has not heard us.
_GOODBYE_READS = 64
_SCHEMES = frozenset(("ws", "wss"))
_CLOSED = "the WebSocket is closed"


class _Socket:
    """What both kinds share: facts of the handshake, and the process that may use them."""

    def __init__(self, upgrade: Upgrade, machine: WebSocketMachine) -> None:
        self.upgrade = upgrade
        self.last_activity: float = time.monotonic()
        self._machine = machine
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
    def silence(self) -> float:
        """Seconds since bytes were last received: messages, pings and pongs alike."""
        return time.monotonic() - self.last_activity

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

    def __init__(self, channel: Channel, upgrade: Upgrade, machine: WebSocketMachine) -> None:
        super().__init__(upgrade, machine)
        self._channel = channel
        self._read_lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._is_dropped = False

    @property
    def is_ours(self) -> bool:
        """Whether the calling process opened the connection."""
        return os.getpid() == self._pid

    @property
    def is_closed(self) -> bool:
        """Whether either side has started to close, or the connection is gone."""
        if self.is_ours:
            self._take_what_came()
        return self._is_dropped or self._machine.failure is not None

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
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._send_lock.acquire(timeout=-1 if timeout is None else timeout):
            raise _send_timeout(timeout)
        try:
            if self._is_dropped or self._machine.failure is not None:
                raise _closed(self._machine.failure)
            self._channel.send(self._machine.text(text), deadline)
        except TransportTimeoutError as exc:
            self._drop()
            raise _send_timeout(timeout) from exc
        except (NetworkError, ClientStateError) as exc:
            raise _closed(exc) from exc
        finally:
            self._send_lock.release()
        self._answer()

    def recv(self, timeout: float | None = None) -> str | bytes:
        """Return the next message: text as ``str``, binary as ``bytes``.

        Args:
            timeout: Seconds to wait; None waits for ever. The connection stays usable after it.

        Raises:
            TransportTimeoutError: No message came in time.
            WebSocketClosedError: The connection is closed and all messages are read.
            EventTooLargeError: A message is larger than ``max_message_bytes``.
            ClientStateError: Another thread is reading, or the process forked.
        """
        self.check_owner()
        if not self._read_lock.acquire(blocking=False):
            raise ClientStateError("another thread is reading from this WebSocket")
        try:
            message = self._machine.next_message()
            if message is not None:
                return message
            deadline = None if timeout is None else time.monotonic() + timeout
            return self._wait(deadline, timeout)
        finally:
            self._read_lock.release()

    def _wait(self, deadline: float | None, timeout: float | None) -> str | bytes:
        machine = self._machine
        while True:
            if machine.failure is not None:
                raise _again(machine.failure)
            try:
                self._take(self._channel.receive(deadline))
            except TransportTimeoutError as exc:
                message = f"no WebSocket message within {timeout} s"
                raise TransportTimeoutError(message) from exc
            except (NetworkError, ClientStateError) as exc:
                machine.lose(exc)
            received = machine.next_message()
            if received is not None:
                return received

    def _take(self, data: bytes) -> None:
        """Hand bytes to the machine, and answer what wants an answer."""
        self.last_activity: float = time.monotonic()
        if data:
            self._machine.feed(data)
        else:
            self._machine.lose(None)
        self._answer()

    def _take_what_came(self) -> None:
        """Read what waits in the socket, as the connection may have ended since the last read."""
        if self._is_dropped or not self._read_lock.acquire(blocking=False):
            return
        try:
            while (
                self._machine.failure is None
                and not self._machine.is_full
                and self._channel.is_readable()
            ):
                self._receive_at(0.0)
        finally:
            self._read_lock.release()

    def _receive_at(self, deadline: float | None) -> None:
        """Receive once; whatever fails becomes the machine's end."""
        try:
            self._take(self._channel.receive(deadline))
        except TransportTimeoutError:
            pass
        except TransportError as exc:
            self._machine.lose(exc)

    def _answer(self) -> None:
        """Send pongs and close frames, unless another thread sends: it does so behind its own."""
        while self._machine.has_outgoing and self._send_lock.acquire(blocking=False):
            try:
                self._channel.send(self._machine.take_outgoing(), time.monotonic() + _CLOSE_TIMEOUT)
            except TransportError as exc:
                self._machine.lose(exc)
                return
            finally:
                self._send_lock.release()

    def ping(self) -> None:
        """Send a ping without waiting for its pong, which counts as activity.

        Raises:
            WebSocketClosedError: The connection is closed.
        """
        self.check_owner()
        if self._is_dropped or self._machine.failure is not None:
            raise _closed(self._machine.failure)
        with self._send_lock:
            try:
                self._channel.send(self._machine.ping(), time.monotonic() + _CLOSE_TIMEOUT)
            except TransportError as exc:
                raise _closed(exc) from exc

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame, and wait a moment for the peer's. May be called again."""
        if not self.is_ours or self._is_dropped:
            return
        deadline = time.monotonic() + _CLOSE_TIMEOUT
        if self._machine.failure is None and self._send_lock.acquire(timeout=_CLOSE_TIMEOUT):
            try:
                self._channel.send(self._machine.close(code, reason), deadline)
            except TransportError as exc:
                self._machine.lose(exc)
            finally:
                self._send_lock.release()
            self._wait_for_close(deadline)
        self._drop()

    def _wait_for_close(self, deadline: float) -> None:
        if not self._read_lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return
        try:
            for _ in range(_GOODBYE_READS):
                if self._machine.failure is not None or time.monotonic() >= deadline:
                    break
                self._receive_at(deadline)
                while self._machine.next_message() is not None:
                    pass
        finally:
            self._read_lock.release()

    def abort(self) -> None:
        """Drop the connection now, without a close frame. May be called from any thread, again."""
        if self.is_ours:
            self._drop()

    def _drop(self) -> None:
        self._is_dropped = True
        self._machine.lose(ClientStateError("it was closed here"))
        self._channel.close()


class AsyncWebSocket(_Socket):
    """A connection of one event loop. One task may read while others send."""

    def __init__(self, channel: AsyncChannel, upgrade: Upgrade, machine: WebSocketMachine) -> None:
        super().__init__(upgrade, machine)
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False
        channel.receiver = self
        self._after_feeding()

    @property
    def is_ours(self) -> bool:
        """Whether the running event loop opened the connection, in this process."""
        return os.getpid() == self._pid and asyncio.get_running_loop() is self._loop

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the connection belongs to."""
        return self._loop

    @property
    def is_closed(self) -> bool:
        """Whether either side has started to close, or the connection is gone."""
        return self._machine.failure is not None

    async def send(self, text: str | bytes, timeout: float | None = None) -> None:
        """Send one text message, as ``WebSocket.send`` does.

        Raises:
            ClientStateError: The connection belongs to another event loop or process.
        """
        self.check_owner()
        if self._machine.failure is not None:
            raise _closed(self._machine.failure)
        try:
            self._channel.write(self._machine.text(text))
            async with asyncio.timeout(timeout):
                await self._channel.drain()
        except TimeoutError as exc:
            self._drop()
            raise _send_timeout(timeout) from exc
        except NetworkError as exc:
            raise _closed(exc) from exc
        if self._channel.is_closed:
            raise _closed(self._machine.failure)

    async def recv(self) -> str | bytes:
        """Return the next message, as ``WebSocket.recv`` does without a limit. Safe to cancel.

        Raises:
            ClientStateError: Another task is reading, or the connection belongs to another event
                loop or process.
        """
        if _get_running_loop() is not self._loop:  # also when this is a forked child
            self.check_owner()
        if self._waiter is not None:
            raise ClientStateError("another task is reading from this WebSocket")
        machine = self._machine
        while True:
            message = machine.next_message()
            if message is not None:
                if self._is_paused:
                    self._after_taking()
                return message
            if machine.failure is not None:
                raise _again(machine.failure)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def ping(self) -> None:
        """Send a ping without waiting for its pong, which counts as activity.

        Raises:
            WebSocketClosedError: The connection is closed.
        """
        self.check_owner()
        if self._machine.failure is not None:
            raise _closed(self._machine.failure)
        self._channel.write(self._machine.ping())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame, and wait a moment for the peer's. May be called again."""
        if os.getpid() == self._pid and asyncio.get_running_loop() is self._loop:
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self._say_goodbye(code, reason)
            except (TimeoutError, NetworkError):
                pass
        self.abort()

    async def _say_goodbye(self, code: int, reason: str) -> None:
        machine = self._machine
        if machine.failure is not None:
            return
        self._channel.write(machine.close(code, reason))
        await self._channel.drain()
        for _ in range(_GOODBYE_READS):
            if machine.failure is not None or self._waiter is not None:
                break
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
            while machine.next_message() is not None:
                pass
            if self._is_paused:
                self._after_taking()

    def abort(self) -> None:
        """Drop the connection now, without a close frame. May be called from any thread, again."""
        if os.getpid() != self._pid or self._loop.is_closed():
            return
        if _get_running_loop() is self._loop:
            self._drop()
            return
        try:
            self._loop.call_soon_threadsafe(self._drop)
        except RuntimeError:  # the loop was closed in this very moment
            return

    def check_owner(self) -> None:
        """Refuse a use from another process or another event loop."""
        super().check_owner()
        if asyncio.get_running_loop() is not self._loop:
            message = "this WebSocket belongs to another event loop: open one in this loop"
            raise ClientStateError(message)

    # What the channel calls

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the machine, and answer what wants an answer."""
        self.last_activity: float = time.monotonic()
        self._machine.feed(data)
        self._after_feeding()

    def connection_lost(self, error: TransportError | None) -> None:
        """Note that nothing more will come."""
        self._machine.lose(error)
        self._wake()

    def _after_feeding(self) -> None:
        machine = self._machine
        if machine.has_outgoing:
            self._write(machine.take_outgoing())
        if machine.failure is not None:
            self._channel.abort()
        elif machine.is_full and not self._is_paused:
            self._is_paused = True
            self._channel.pause_reading()
        self._wake()

    def _after_taking(self) -> None:
        """Read on once there is room; taking a message may have parsed more of what was held."""
        machine = self._machine
        if machine.has_outgoing:
            self._write(machine.take_outgoing())
        if machine.failure is not None:
            self._channel.abort()
        elif not machine.is_full:
            self._is_paused = False
            self._channel.resume_reading()

    def _write(self, data: bytes) -> None:
        try:
            self._channel.write(data)
        except NetworkError as exc:
            self._machine.lose(exc)

    def _drop(self) -> None:
        self._machine.lose(ClientStateError("it was closed here"))
        self._channel.abort()
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


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
    from codex_api.transport.connector import open_channel  # noqa: PLC0415 - one world's only

    handshake, route = _begin(url, headers, network, deflate=deflate, limit=max_message_bytes)
    deadline = None if connect_timeout is None else time.monotonic() + connect_timeout
    channel = open_channel(route, network, deadline)
    try:
        channel.send(handshake.request, deadline)
        while (agreed := handshake.feed(channel.receive(deadline))) is None:
            pass
    except BaseException as exc:
        channel.close()
        raise _handshake_failure(exc, handshake, connect_timeout) from exc
    return WebSocket(channel, *agreed)


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
    from codex_api.transport.channel_async import Inbox  # noqa: PLC0415 - one world's only
    from codex_api.transport.connector_async import open_async_channel  # noqa: PLC0415 - as above

    handshake, route = _begin(url, headers, network, deflate=deflate, limit=max_message_bytes)
    deadline = None if connect_timeout is None else time.monotonic() + connect_timeout
    channel = await open_async_channel(route, network, deadline)
    inbox = Inbox(channel)
    try:
        loop = asyncio.get_running_loop()
        left = None if deadline is None else deadline - time.monotonic()
        async with asyncio.timeout_at(None if left is None else loop.time() + left):
            channel.write(handshake.request)
            while (agreed := handshake.feed(await inbox.read())) is None:
                pass
    except BaseException as exc:
        channel.abort()
        raise _handshake_failure(exc, handshake, connect_timeout) from exc
    return AsyncWebSocket(channel, *agreed)


def _begin(
    url: str, headers: Headers, network: Network, *, deflate: bool, limit: int | None
) -> tuple[Handshake, Route]:
    if urlsplit(url).scheme not in _SCHEMES:
        message = "the WebSocket cannot be opened: its URL begins with neither ws: nor wss:"
        raise RequestBuildError(message)
    handshake = Handshake(url, headers, deflate=deflate, max_message_bytes=limit)
    return handshake, route_to(parse_target(url), proxy_for(network, url))


def _handshake_failure(
    exc: BaseException, handshake: Handshake, timeout: float | None
) -> BaseException:
    """Name what ended the handshake: a refusal whose body did not end is a refusal all the same."""
    if isinstance(exc, TimeoutError | TransportTimeoutError):
        late = ConnectTimeoutError(f"the WebSocket was not up within {timeout} s")
        return handshake.interrupted() or late
    if isinstance(exc, NetworkError):
        return handshake.interrupted() or exc
    return exc


def _send_timeout(timeout: float | None) -> TransportTimeoutError:
    return TransportTimeoutError(f"the WebSocket message was not taken within {timeout} s")


def _closed(cause: TransportError | None) -> TransportError:
    """Make the error for a use after the end; the peer's own words are kept."""
    if isinstance(cause, WebSocketClosedError):
        return _again(cause)
    return WebSocketClosedError(_CLOSED if cause is None else f"{_CLOSED}: {cause}")


def _again(failure: TransportError) -> TransportError:
    """Make an equal error, since one that is raised twice collects the tracebacks of both."""
    if isinstance(failure, WebSocketClosedError):
        error: TransportError = WebSocketClosedError(
            failure.message, code=failure.code, reason=failure.reason
        )
    else:
        error = type(failure)(failure.message)
    error.__cause__ = failure.__cause__
    return error
