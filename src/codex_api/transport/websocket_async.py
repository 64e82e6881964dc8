"""WebSocket connections for asyncio, over the same connector as HTTP."""

from __future__ import annotations

import asyncio
import os
import time
from asyncio.events import (
    _get_running_loop,  # pyright: ignore[reportPrivateUsage]  # None where there is none
)
from typing import TYPE_CHECKING

from codex_api.transport.connector_async import open_async_channel
from codex_api.transport.errors import (
    ClientStateError,
    NetworkError,
    TransportError,
)
from codex_api.transport.websocket_facts import (
    CLOSE_TIMEOUT,
    GOODBYE_READS,
    MAX_MESSAGE_BYTES,
    SocketFacts,
    again,
    begin,
    closed,
    handshake_failure,
    send_timeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.websocket import WebSocketMachine
    from codex_api.transport.channel_async import AsyncChannel
    from codex_api.transport.network import Network
    from codex_api.transport.websocket_handshake import Upgrade

__all__ = ["AsyncWebSocket", "connect_async"]


class AsyncWebSocket(SocketFacts):
    """A connection of one event loop. One task may read while others send."""

    def __init__(self, channel: AsyncChannel, upgrade: Upgrade, machine: WebSocketMachine) -> None:
        super().__init__(upgrade, machine)
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False
        channel.hand_to(self)
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
            raise closed(self._machine.failure)
        try:
            self._channel.write(self._machine.text(text))
            async with asyncio.timeout(timeout):
                await self._channel.drain()
        except TimeoutError as exc:
            self._drop()
            raise send_timeout(timeout) from exc
        except NetworkError as exc:
            raise closed(exc) from exc
        if self._channel.is_closed:
            raise closed(self._machine.failure)

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
                raise again(machine.failure)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def peek(self) -> list[str | bytes]:
        """Return the messages that are here already. Whoever reads may call it."""
        return self._machine.waiting

    def take(self, count: int) -> None:
        """Take the first ``count`` of the messages that are here: they are read."""
        self._machine.take(count)
        if self._is_paused:
            self._after_taking()

    async def ping(self) -> None:
        """Send a ping without waiting for its pong, which counts as activity.

        Raises:
            WebSocketClosedError: The connection is closed.
        """
        self.check_owner()
        if self._machine.failure is not None:
            raise closed(self._machine.failure)
        self._channel.write(self._machine.ping())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame, and wait a moment for the peer's. May be called again."""
        if os.getpid() == self._pid and asyncio.get_running_loop() is self._loop:
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
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
        for _ in range(GOODBYE_READS):
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


async def connect_async(
    url: str,
    headers: Headers,
    *,
    network: Network,
    deflate: bool,
    connect_timeout: float | None,
    max_message_bytes: int | None = MAX_MESSAGE_BYTES,
    kind: Callable[[AsyncChannel, Upgrade, WebSocketMachine], AsyncWebSocket] = AsyncWebSocket,
) -> AsyncWebSocket:
    """Open a connection in the running event loop; the rest is as in ``connect``."""
    handshake, route = begin(url, headers, network, deflate=deflate, limit=max_message_bytes)
    del url  # a traceback with locals would show its query
    deadline = None if connect_timeout is None else time.monotonic() + connect_timeout
    channel = await open_async_channel(route, network, deadline)
    try:
        loop = asyncio.get_running_loop()
        left = None if deadline is None else deadline - time.monotonic()
        async with asyncio.timeout_at(None if left is None else loop.time() + left):
            channel.write(handshake.request)
            while (agreed := handshake.feed(await channel.inbox.read())) is None:
                pass
    except BaseException as exc:
        channel.abort()
        raise handshake_failure(exc, handshake, connect_timeout) from exc
    return kind(channel, *agreed)
