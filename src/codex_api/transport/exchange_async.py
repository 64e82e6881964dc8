"""One request and its answer on a connection under asyncio.

The rules are those of ``http.py``. Besides: an answer that nobody reads is held up to a limit, then
its server waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING

from codex_api.transport._core.http1 import BodyEncoder, ResponseReader
from codex_api.transport._core.messages import Response
from codex_api.transport.errors import (
    ClientStateError,
    EventTooLargeError,
    NetworkError,
    TransportError,
    TransportTimeoutError,
)
from codex_api.transport.http_request import (
    JOINED_BYTES,
    check_held,
    check_size,
    piece_of_body,
    unanswered,
)

if TYPE_CHECKING:
    from codex_api.transport._core.messages import StreamedBody
    from codex_api.transport.http_request import Outgoing
    from codex_api.transport.pool_async import Connection

# What is held of a stream that nobody reads.
_HELD_BYTES = 65_536
_SEND_BYTES = 262_144
_CLOSED = "the streamed answer was closed"
_FOREIGN = "the streamed answer belongs to another event loop or process"
_IN_USE = "another task is reading this answer"


class AsyncExchange:
    """The request that goes out, and the answer whose body arrives.

    Attributes:
        reader: Has status and headers, as soon as they are there.
    """

    __slots__ = (
        "_awaits_head",
        "_began",
        "_channel",
        "_connection",
        "_failure",
        "_held",
        "_held_bytes",
        "_is_paused",
        "_is_sending",
        "_is_whole",
        "_loop",
        "_sent_all",
        "_waiter",
        "reader",
    )

    def __init__(self, connection: Connection, method: str, *, whole: bool) -> None:
        self._connection: Connection | None = connection
        self._channel = connection.channel
        self._loop = connection.loop
        self.reader: ResponseReader = ResponseReader(method)
        self._is_whole = whole  # then nobody is woken before the end
        self._awaits_head = not whole
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._began = self._is_paused = self._is_sending = self._sent_all = False
        self._failure: TransportError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._channel.receiver = self

    # What the channel calls

    def data_received(self, data: bytes) -> None:
        """Read what came, and wake whoever waits for it."""
        reader = self.reader
        self._began = True
        try:
            piece = reader.feed(data)
        except NetworkError as exc:
            self._fail(exc)
            return
        if piece:
            self._held.append(piece)
            self._held_bytes += len(piece)
        if reader.is_complete:
            self._complete()
        elif self._is_whole:
            self._check_size()
            return
        elif self._held_bytes > _HELD_BYTES and not self._is_paused:
            self._is_paused = True
            self._channel.pause_reading()
        elif not piece and not (self._awaits_head and reader.status is not None):
            return  # of a head, or of a chunk's size
        self._wake()

    def connection_lost(self, error: TransportError | None) -> None:
        """Take the end of the connection for that of the answer, if it may be that."""
        try:
            self.reader.close()
        except NetworkError as exc:
            self._fail(error or exc)
        else:
            self._complete()
            self._wake()

    def _check_size(self) -> None:
        try:
            check_size(self.reader.headers, self._held_bytes)
        except EventTooLargeError as exc:
            self._fail(exc)
        if self._is_sending and self.reader.status is not None:
            self._wake()

    def _complete(self) -> None:
        """Release the connection: the answer is here, though nobody may have read it yet."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._is_paused:
                self._channel.resume_reading()
            connection.give_back(reusable=self._sent_all and self.reader.can_reuse)

    def _fail(self, error: TransportError) -> None:
        if self._failure is None:
            connection = self._connection
            if isinstance(error, NetworkError) and not self._began and connection is not None:
                error = unanswered(error, reused=connection.reused)
            error.sent = "begun" if self._began else "maybe"
            self._failure = error
        self._drop()
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._is_sending:
            self._channel.wake_drainers()  # nobody waits for a peer that has answered

    # The request

    def expire(self) -> None:
        """End the exchange, whose limit has passed."""
        self._fail(TransportTimeoutError("the answer took too long"))

    def is_sent_at_once(self, outgoing: Outgoing) -> bool:
        """Send the request, unless it is so large that one has to wait for the server."""
        if outgoing.streamed is not None or len(outgoing.body) > JOINED_BYTES:
            return False
        try:
            self._channel.write(outgoing.head + outgoing.body)
            self._sent_all = True
        except NetworkError as exc:
            self._fail(exc)
        return True

    async def send(self, outgoing: Outgoing, deadline: float | None) -> None:
        """Send a large request, as far as the server wants to have it."""
        limit: asyncio.Timeout | None = None
        try:
            self._is_sending = True
            self._channel.write(outgoing.head)
            if outgoing.streamed is None:
                self._sent_all = await self._send_fixed(outgoing.body)
            else:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                limit = asyncio.timeout(left)
                async with limit:
                    self._sent_all = await self._send_streamed(outgoing.streamed)
        except NetworkError as exc:
            self._fail(exc)
        except TimeoutError:
            if limit is None or not limit.expired():
                raise  # of whatever the body comes from
            self.expire()
        finally:
            self._is_sending = False

    async def _send_fixed(self, body: bytes) -> bool:
        view = memoryview(body)
        for start in range(0, len(view), _SEND_BYTES):
            if not await self._send_piece(bytes(view[start : start + _SEND_BYTES])):
                return False
        return True

    async def _send_streamed(self, body: StreamedBody) -> bool:
        encoder, pieces = BodyEncoder(body.length), body.open()
        try:
            if isinstance(pieces, AsyncIterable):
                async for piece in pieces:
                    if not await self._send_piece(encoder.encode(piece_of_body(piece))):
                        return False
            else:
                for piece in pieces:
                    if not await self._send_piece(encoder.encode(piece_of_body(piece))):
                        return False
        finally:
            await _close(pieces)
        return await self._send_piece(encoder.end())

    async def _send_piece(self, data: bytes) -> bool:
        """Send bytes, and return whether the server may want more."""
        if self._is_answered():
            return False
        if data:
            self._channel.write(data)
            await self._channel.drain()
        return not self._is_answered()

    def _is_answered(self) -> bool:
        return self._failure is not None or self.reader.status is not None

    # The answer

    async def wait_for_head(self) -> None:
        """Wait until status and headers are there."""
        # The wait once more, here and below: a coroutine less for each wake-up.
        while self.reader.status is None:
            if self._connection is None:
                raise self._refusal()
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._awaits_head = False
        if self._connection is not None:
            self._connection.call_at(None)  # from here on the reader sets limits

    async def read_all(self) -> Response:
        """Wait for the whole answer."""
        reader = self.reader
        while not reader.is_complete:
            if self._connection is None:
                raise self._refusal()
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        check_held(self._held_bytes)
        held = self._held
        return Response(
            reader.status or 0, reader.headers, held[0] if len(held) == 1 else b"".join(held)
        )

    async def read_chunk(self, _handle: object) -> bytes | None:
        """Wait for the next piece of the body; the handle lives as long as the wait."""
        while not self._held:
            if self.reader.is_complete:
                return None
            if (
                self._connection is None
                or self._waiter is not None
                or self._channel.is_closed
                or asyncio.get_running_loop() is not self._loop
            ):
                raise self._refusal()
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        held = self._held
        chunk = held[0] if len(held) == 1 else b"".join(held)
        held.clear()
        self._held_bytes = 0
        if self._is_paused:
            self._is_paused = False
            self._channel.resume_reading()
        return chunk

    def _refusal(self) -> Exception:
        """Return why one must not wait: nothing would end it, or somebody else is waiting."""
        if self._failure is not None:
            return self._failure
        if self._connection is None:
            return ClientStateError(_CLOSED)
        if asyncio.get_running_loop() is not self._loop or self._channel.is_closed:
            return ClientStateError(_FOREIGN)
        return ClientStateError(_IN_USE)

    def close(self) -> None:
        """Close the connection at once; a task that reads gets an error."""
        if not self.reader.is_complete:
            self._held.clear()
        self._drop()
        self._wake()

    def end_with_loop(self) -> None:
        """Close the connection, unless a task waits for it."""
        if self._waiter is None and not self._is_sending:
            self.close()

    async def aclose(self) -> None:
        """Close the connection at once. May be called twice, and from another loop."""
        if asyncio.get_running_loop() is self._loop:
            self.close()
        else:
            with suppress(RuntimeError):  # that loop is closed, and the connection with it
                self._loop.call_soon_threadsafe(self.close)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()

    def forget(self) -> None:
        """Close the connection from whatever thread the collector runs in."""
        if self._connection is not None and not self._channel.is_closed:
            with suppress(RuntimeError):  # that loop is closed, and the connection with it
                self._loop.call_soon_threadsafe(self.close)


async def _close(pieces: object) -> None:
    """Close the source of a body that may not have been read to its end."""
    if isinstance(pieces, AsyncGenerator):
        await pieces.aclose()
    elif isinstance(pieces, Generator):
        pieces.close()
