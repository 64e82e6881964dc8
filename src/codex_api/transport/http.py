"""HTTP/1.1 in blocking code, over sockets of our own and without a thread.

Rules: a request is sent once, whatever happens to it; an answer that comes while the request is
still being sent is read; a connection goes back to the pool only when both have come to their end;
whatever cuts a request short closes its connection at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from codex_api.transport._core.http1 import BodyEncoder, ResponseReader
from codex_api.transport._core.idle_pool import IdleConnections
from codex_api.transport._core.messages import Response
from codex_api.transport.connector import open_channel
from codex_api.transport.errors import (
    NetworkError,
    RequestBuildError,
    TransportError,
    TransportTimeoutError,
)
from codex_api.transport.http_request import (
    JOINED_BYTES,
    Preparer,
    check_held,
    check_size,
    closed,
    late,
    piece_of_body,
    unanswered,
)
from codex_api.transport.inheritance import disown_after_fork
from codex_api.transport.network import Network
from codex_api.transport.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import Request, StreamedBody
    from codex_api.transport._core.route import Route
    from codex_api.transport.channel import Channel
    from codex_api.transport.http_request import Outgoing

    Begun: TypeAlias = Callable[[Callable[[], None]], None]


class _Pool:
    """The connections of one transport, shared by its threads."""

    def __init__(self, network: Network, connect_timeout: float | None) -> None:
        self._network = network
        self._connect_timeout = connect_timeout
        self._idle = self._no_connections()
        self._lock = threading.Lock()
        limit = network.max_connections
        self._slots = None if limit is None else Slots(limit)
        self.generation: int = 0
        self.is_closed: bool = False
        disown_after_fork(self)

    def _no_connections(self) -> IdleConnections[Channel]:
        return IdleConnections(self._network.max_idle_connections, self._network.pool_idle_timeout)

    def disown(self) -> None:
        """Begin anew in a forked child; the connections let go of themselves."""
        self._idle = self._no_connections()
        self._lock = threading.Lock()
        if self._slots is not None:
            self._slots.disown()
        self.generation += 1

    def take(self, route: Route, deadline: float | None) -> tuple[Channel, bool]:
        """Return a connection, and whether it was used before."""
        if self.is_closed:
            raise closed()
        if self._slots is not None:
            self._slots.take(deadline)
        try:
            return self._take(route, deadline)
        except BaseException:
            self._give_slot()
            raise

    def _take(self, route: Route, deadline: float | None) -> tuple[Channel, bool]:
        if self.is_closed:  # while it waited for its turn
            raise closed()
        while (channel := self._take_idle(route)) is not None:
            # What has come while nobody had asked is the end, or no answer to anything.
            if not channel.is_readable():
                return channel, True
            channel.close()
        return open_channel(route, self._network, self._connect_deadline(deadline)), False

    def _connect_deadline(self, deadline: float | None) -> float | None:
        if self._connect_timeout is None:
            return deadline
        own = time.monotonic() + self._connect_timeout
        return own if deadline is None else min(own, deadline)

    def _take_idle(self, route: Route) -> Channel | None:
        now = time.monotonic()
        with self._lock:
            expired = () if now < self._idle.expires_at else self._idle.expire(now)
            channel = self._idle.take(route)
        for old in expired:
            old.close()
        if self.is_closed:
            self._close_idle()
        return channel

    def give(self, route: Route, channel: Channel, generation: int, *, reusable: bool) -> None:
        """Take a connection back, to be used again or to be closed."""
        if generation != self.generation:
            channel.close()  # of the parent process
            return
        dropped: Sequence[Channel] = (channel,)
        if reusable and not self.is_closed:
            with self._lock:
                dropped = self._idle.put(route, channel, time.monotonic())
            if self.is_closed:  # since we looked
                self._close_idle()
        for old in dropped:
            old.close()
        self._give_slot()

    def _give_slot(self) -> None:
        if self._slots is not None:
            self._slots.give()

    def close(self) -> None:
        """Close what is idle, and keep nothing any more. A signal handler may call it."""
        self.is_closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        # Whoever holds the lock now, this thread below a signal handler perhaps, looks again.
        while len(self._idle) and self._lock.acquire(blocking=False):
            try:
                dropped = self._idle.clear()
            finally:
                self._lock.release()
            for channel in dropped:
                channel.close()


class _Stream:
    """One exchange: the request that goes out, and the answer whose body arrives."""

    __slots__ = (
        "__weakref__",
        "_began",
        "_body",
        "_channel",
        "_failure",
        "_generation",
        "_lease",
        "_pool",
        "_reader",
        "_reused",
        "_route",
        "_sent_all",
        "headers",
        "status",
    )

    def __init__(self, pool: _Pool, outgoing: Outgoing, channel: Channel, *, reused: bool) -> None:
        self._pool = pool
        self._route = outgoing.route
        self._channel = channel
        self._reused = reused
        self._generation = pool.generation
        # Whoever pops it gives the connection back: the reader, or whoever closes.
        self._lease = [channel]
        self._reader = reader = ResponseReader(outgoing.method)
        self.status: int = 0  # as its headers, there with the head
        self.headers: Headers = reader.headers
        self._sent_all = False
        self._began = False
        self._failure: NetworkError | None = None
        self._body = b""  # what came together with the head

    # The request

    def send(self, outgoing: Outgoing, deadline: float | None) -> None:
        try:
            if outgoing.streamed is not None:
                self._sent_all = self._send_streamed(outgoing.head, outgoing.streamed, deadline)
            elif len(outgoing.body) <= JOINED_BYTES:
                data = outgoing.head + outgoing.body
                self._sent_all = self._channel.send(data, deadline, until_readable=True)
            else:
                self._sent_all = self._channel.send(
                    outgoing.head, deadline, until_readable=True
                ) and self._channel.send(outgoing.body, deadline, until_readable=True)
        except NetworkError as exc:
            # A server that has said no stops reading; what it said may still be there.
            if not self._has_answer():
                raise self._failed(exc) from None
        except TransportTimeoutError as exc:
            exc.sent = "maybe"
            raise

    def _has_answer(self) -> bool:
        try:
            self._feed(self._channel.receive(deadline=0.0))
        except TransportError:
            return False
        return True

    def _send_streamed(self, head: bytes, body: StreamedBody, deadline: float | None) -> bool:
        channel, encoder = self._channel, BodyEncoder(body.length)
        pieces = body.open()
        if not isinstance(pieces, Iterable):
            raise RequestBuildError("a body that is read with async for needs an async client")
        try:
            if not channel.send(head, deadline, until_readable=True):
                return False
            for piece in pieces:
                data = encoder.encode(piece_of_body(piece))
                if channel.is_readable() or not channel.send(data, deadline, until_readable=True):
                    return False
            return channel.send(encoder.end(), deadline, until_readable=True)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    # The answer

    def read_head(self, deadline: float | None) -> None:
        while self._reader.status is None:
            try:
                self._body += self._receive(deadline)
            except NetworkError as exc:
                if self._reader.status is None:
                    raise
                self._failure = exc  # of the body, which is for whoever reads it
                self.close()
        self.status, self.headers = self._reader.status, self._reader.headers
        if self._reader.is_complete:
            self._release()

    def _receive(self, deadline: float | None) -> bytes:
        """Wait for bytes of the answer, and return those of its body."""
        try:
            return self._feed(self._channel.receive(deadline))
        except NetworkError as exc:
            raise self._failed(exc) from None
        except TransportTimeoutError as exc:
            exc.sent = "begun" if self._began else "maybe"
            raise

    def _failed(self, error: NetworkError) -> NetworkError:
        if not self._began:
            error = unanswered(error, reused=self._reused)
        error.sent = "begun" if self._began else "maybe"
        return error

    def _feed(self, data: bytes) -> bytes:
        if data:
            self._began = True
            return self._reader.feed(data)
        self._reader.close()
        return b""

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        if self._body:
            chunk, self._body = self._body, b""
            return chunk
        if self._failure is not None:
            raise self._failure
        reader, receive = self._reader, self._channel.receive
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while not reader.is_complete:
                data = receive(deadline)
                if data:
                    chunk = reader.feed(data)
                else:
                    chunk = b""
                    reader.close()
                if reader.is_complete:
                    self._release()
                if chunk:
                    return chunk
        except NetworkError as exc:
            exc.sent = "begun"
            raise
        return None

    def read_all(self, deadline: float | None) -> bytes:
        if self._reader.is_complete:
            check_held(len(self._body))
            return self._body
        pieces, size = [self._body], len(self._body)
        check_size(self.headers, size)
        if self._failure is not None:
            raise self._failure
        while not self._reader.is_complete:
            piece = self._receive(deadline)
            size += len(piece)
            check_size(self.headers, size)
            pieces.append(piece)
        self._release()
        return b"".join(pieces)

    def _let_go(self) -> Channel | None:
        try:
            return self._lease.pop()
        except IndexError:  # closed by another thread, or given back before
            return None

    def _release(self) -> None:
        channel = self._let_go()
        if channel is not None:
            reusable = self._sent_all and self._reader.can_reuse
            self._pool.give(self._route, channel, self._generation, reusable=reusable)

    def close(self) -> None:
        channel = self._let_go()
        if channel is not None:
            channel.close()
            self._pool.give(self._route, channel, self._generation, reusable=False)

    def __del__(self) -> None:
        # Of a stream that was forgotten; the slot it holds is somebody's turn.
        if self._lease:
            self.close()


class HttpTransport:
    """``Transport`` over sockets of our own; safe to share between threads, and after a fork.

    Args:
        network: TLS, proxy, keep-alive and pool settings.
        connect_timeout: Seconds for name look-up, connection, proxy and TLS together; None sets no
            limit of their own.
    """

    def __init__(
        self, network: Network | None = None, *, connect_timeout: float | None = None
    ) -> None:
        settings = network or Network()
        self._preparer = Preparer(settings)
        self._pool = _Pool(settings, connect_timeout)

    def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request and read the whole answer."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            stream = self._open(request, deadline, None)
            try:
                body = stream.read_all(deadline)
            except BaseException:
                stream.close()
                raise
        except TransportTimeoutError as exc:
            raise late(exc, "complete answer", timeout, deadline) from None
        self._preparer.keep_cookies(request.url, stream.headers)
        return Response(stream.status, stream.headers, body)

    def stream(self, request: Request, timeout: float | None = None) -> _Stream:
        """Send a request and return when the head of the answer is there."""
        return self.interruptible_stream(request, timeout)

    def interruptible_stream(
        self, request: Request, timeout: float | None = None, begun: Begun | None = None
    ) -> _Stream:
        """Do as ``stream`` does, and tell ``begun`` how to give it up, from any thread."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            stream = self._open(request, deadline, begun)
        except TransportTimeoutError as exc:
            raise late(exc, "head of the answer", timeout, deadline) from None
        self._preparer.keep_cookies(request.url, stream.headers)
        return stream

    def _open(self, request: Request, deadline: float | None, begun: Begun | None) -> _Stream:
        outgoing = self._preparer.prepare(request)
        channel, reused = self._pool.take(outgoing.route, deadline)
        stream = _Stream(self._pool, outgoing, channel, reused=reused)
        try:
            if begun is not None:
                begun(stream.close)
            stream.send(outgoing, deadline)
            stream.read_head(deadline)
        except BaseException:
            stream.close()
            raise
        return stream

    def close(self) -> None:
        """Close idle connections and refuse further requests."""
        self._pool.close()
