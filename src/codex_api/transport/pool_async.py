"""The connections of an asyncio transport: for each event loop its own, ended with the loop.

A connection that receives anything while it is idle is dead: the server has closed it, or sends an
answer without a request.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from codex_api.transport._core.idle_pool import IdleConnections
from codex_api.transport.connector_async import open_async_channel
from codex_api.transport.http_request import closed
from codex_api.transport.inheritance import disown_after_fork
from codex_api.transport.slots import AsyncSlots

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from codex_api.transport._core.route import Route
    from codex_api.transport.channel_async import AsyncChannel
    from codex_api.transport.errors import TransportError
    from codex_api.transport.network import Network


@runtime_checkable
class Exchange(Protocol):
    """The receiver of a connection in use, as its pool sees it."""

    def end_with_loop(self) -> None:
        """Close the connection because the event loop ends, unless a task waits for it.

        Such a task belongs to what cleans up at the end of the loop, too.
        """
        ...


class Connection:
    """A connection of the pool. Whoever took it calls ``give_back`` or ``drop``, once.

    Attributes:
        reused: Whether it has carried an exchange before.
    """

    __slots__ = (
        "_due",
        "_expire",
        "_home",
        "_timer",
        "_timer_at",
        "channel",
        "loop",
        "reused",
        "route",
    )

    def __init__(self, home: _LoopConnections, route: Route, channel: AsyncChannel) -> None:
        self._home = home
        self.loop: asyncio.AbstractEventLoop = home.loop
        self.route: Route = route
        self.channel: AsyncChannel = channel
        self.reused: bool = False
        self._due: float | None = None
        self._expire: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def call_at(self, due: float | None, expire: Callable[[], None] | None = None) -> None:
        """Have ``expire`` called at ``due``, a monotonic instant, instead of what was set before.

        None for both takes it back. The timer itself stays: setting and taking back one for each
        exchange would cost a good part of a small one.
        """
        self._due, self._expire = due, expire
        if due is not None and (self._timer is None or due < self._timer_at):
            self._set_timer(due)

    def _set_timer(self, due: float) -> None:
        self._stop_timer()
        self._timer_at = due
        self._timer = self.loop.call_later(max(0.0, due - time.monotonic()), self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        due, expire = self._due, self._expire
        if due is None or expire is None:
            return  # the next exchange sets it again
        if time.monotonic() < due:
            self._set_timer(due)
        else:
            self.call_at(None)
            expire()

    def give_back(self, *, reusable: bool) -> None:
        """Put it back after an exchange, which it no longer limits.

        One that cannot be used again is closed.
        """
        if not reusable or not self.channel.is_flushed:
            self.drop()
            return
        self._due = self._expire = None
        self.reused = True
        self.channel.receiver = self
        self._home.put(self)

    def drop(self) -> None:
        """Close it now."""
        self._home.drop(self)

    def end(self) -> None:
        """Close its channel, and take back its timer."""
        self._stop_timer()
        self.channel.abort()

    def end_with_loop(self) -> None:
        """Close it because its event loop ends, unless a task waits for its exchange."""
        exchange = self.channel.receiver
        if isinstance(exchange, Exchange):
            exchange.end_with_loop()
        else:  # of the parent process
            self.drop()

    # What the channel calls while it is idle

    def data_received(self, data: bytes) -> None:
        """Close a connection on which something comes that nobody has asked for."""
        del data
        self._home.forget(self)

    def connection_lost(self, error: TransportError | None) -> None:
        """Forget a connection that its server has closed."""
        del error
        self._home.forget(self)


class _LoopConnections:
    """The connections of one event loop."""

    def __init__(self, pool: AsyncPool, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._pool = pool
        self._idle = pool.no_connections()
        self._in_use: set[Connection] = set()
        self._end: AsyncGenerator[None, None] | None = None
        self._is_ending = False

    async def open(self, route: Route, deadline: float | None) -> Connection:
        """Return a new connection."""
        if self._end is None:
            self._end = self._close_with_loop()
            await anext(self._end)
        channel = await open_async_channel(route, self._pool.network, deadline)
        connection = Connection(self, route, channel)
        self._in_use.add(connection)
        return connection

    def take(self, route: Route) -> Connection | None:
        """Return an idle connection that is still good, or None."""
        idle = self._idle
        if time.monotonic() >= idle.expires_at:
            for expired in idle.expire(time.monotonic()):
                expired.end()
        while (connection := idle.take(route)) is not None:
            # The end of it may be here without the loop having had time to tell.
            if not connection.channel.is_readable():
                self._in_use.add(connection)
                return connection
            connection.end()
        return None

    def put(self, connection: Connection) -> None:
        """Keep a connection for its next exchange."""
        self._in_use.discard(connection)
        dropped: Sequence[Connection] = (connection,)
        if not self._pool.is_closed and not self._is_ending:
            dropped = self._idle.put(connection.route, connection, time.monotonic())
        for old in dropped:
            old.end()
        self._pool.give_slot()

    def drop(self, connection: Connection) -> None:
        """Close a connection that was in use."""
        connection.end()
        with suppress(KeyError):  # its loop was closed
            self._in_use.remove(connection)
            self._pool.give_slot()

    def give_up(self) -> None:
        """Give the turns back of what was in use when the loop was closed."""
        with suppress(KeyError):
            while True:
                self._in_use.pop()
                self._pool.give_slot()

    def forget(self, connection: Connection) -> None:
        """Close a connection that was idle."""
        self._idle.discard(connection.route, connection)
        connection.end()

    def close_idle(self) -> None:
        """Close what is idle."""
        for connection in self._idle.clear():
            connection.end()

    async def _close_with_loop(self) -> AsyncGenerator[None, None]:
        """Close everything when the loop shuts its generators down, which is its end."""
        try:
            yield
        finally:
            # No generator may be begun from now on, so what is opened yet is closed after its use.
            self._is_ending = True
            self.close_idle()
            for connection in list(self._in_use):
                connection.end_with_loop()
            for _ in range(3):  # asyncio closes a socket a turn after it was told to
                await asyncio.sleep(0)


class AsyncPool:
    """The connections of one transport, in however many loops it is used.

    Args:
        network: How connections are made, and how many are kept.
        connect_timeout: Seconds for making one; None sets no limit of its own.
    """

    def __init__(self, network: Network, connect_timeout: float | None) -> None:
        self.network = network
        self.is_closed: bool = False
        self._connect_timeout = connect_timeout
        limit = network.max_connections
        self._slots = None if limit is None else AsyncSlots(limit)
        self._lock = threading.Lock()
        self._by_loop: dict[asyncio.AbstractEventLoop, _LoopConnections] = {}
        self._last: _LoopConnections | None = None
        disown_after_fork(self)

    def no_connections(self) -> IdleConnections[Connection]:
        """Return an empty store with the limits of the settings."""
        return IdleConnections(self.network.max_idle_connections, self.network.pool_idle_timeout)

    def disown(self) -> None:
        """Begin anew in a forked child; the connections let go of themselves."""
        self._lock = threading.Lock()
        self._by_loop = {}
        self._last = None
        if self._slots is not None:
            self._slots.disown()

    def take_idle(self, route: Route) -> Connection | None:
        """Return a connection that is there and needs no turn, or None."""
        if self.is_closed or self._slots is not None:
            return None
        connections = self._last
        if connections is None or connections.loop is not asyncio.get_running_loop():
            connections = self._of_running_loop()
        return connections.take(route)

    async def take(self, route: Route, deadline: float | None) -> Connection:
        """Return a connection for one exchange.

        Raises:
            ClientStateError: The transport is closed.
            TransportTimeoutError: No connection was free, or up, in time.
            TransportError: None could be made.
        """
        if self.is_closed:
            raise closed()
        connections = self._of_running_loop()
        if self._slots is not None:
            await self._slots.take(deadline)
        try:
            return await self._take(connections, route, deadline)
        except BaseException:
            self.give_slot()
            raise

    async def _take(
        self, connections: _LoopConnections, route: Route, deadline: float | None
    ) -> Connection:
        if self.is_closed:  # while it waited for its turn
            raise closed()
        connection = connections.take(route)
        if connection is None:
            connection = await connections.open(route, self._connect_deadline(deadline))
        return connection

    def _connect_deadline(self, deadline: float | None) -> float | None:
        if self._connect_timeout is None:
            return deadline
        own = time.monotonic() + self._connect_timeout
        return own if deadline is None else min(own, deadline)

    def _of_running_loop(self) -> _LoopConnections:
        loop = asyncio.get_running_loop()
        with self._lock:
            ended = [known for known in self._by_loop if known.is_closed()]
            lost = [self._by_loop.pop(known) for known in ended]
            connections = self._by_loop.get(loop)
            if connections is None:
                connections = self._by_loop[loop] = _LoopConnections(self, loop)
        self._last = connections
        for each in lost:
            each.give_up()
        return connections

    def give_slot(self) -> None:
        """Let the next request have its turn."""
        if self._slots is not None:
            self._slots.give()

    def close(self) -> None:
        """Close what is idle, in every loop, and keep nothing any more."""
        self.is_closed = True
        running = asyncio.get_running_loop()
        with self._lock:
            everywhere = list(self._by_loop.values())
        for connections in everywhere:
            if connections.loop is running:
                connections.close_idle()
            else:
                with suppress(RuntimeError):  # that loop is closed
                    connections.loop.call_soon_threadsafe(connections.close_idle)
