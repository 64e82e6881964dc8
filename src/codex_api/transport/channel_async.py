"""A connection under asyncio, in the caller's own loop and without a thread.

Bytes are pushed to a *receiver* as they come; reading is paused when it asks for that, so that
nothing is held for somebody who does not read. Closing drops the connection at once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from codex_api.transport.connect_errors import reason_of
from codex_api.transport.errors import NetworkError, TransportError
from codex_api.transport.inbox import Inbox
from codex_api.transport.inheritance import disown_after_fork
from codex_api.transport.readiness import readable_look

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from codex_api.transport.inbox import Receiver
    from codex_api.transport.tls import TlsLayer

_SEND_BYTES = 65_536
# asyncio sets memory aside for the largest read before each: 256 KiB, so much that the system maps
# and unmaps it every time. A quarter of it comes from the heap; full reads get all.
_READ_BYTES = 65_536
_MOST_BYTES = 262_144
_SALVAGE_BYTES = 65_536


class AsyncChannel(Protocol):
    """A connection to a server, with TLS in it or without. Used in its own event loop only.

    What comes goes to ``inbox`` at first, and from ``hand_to`` on to a receiver.
    """

    receiver: Receiver | None

    @property
    def inbox(self) -> Inbox:
        """What came before there was another receiver, the end of the connection included."""
        ...

    def hand_to(self, receiver: Receiver) -> None:
        """Set the first receiver, and tell it at once what waits in ``inbox``."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether it ended, or was aborted."""
        ...

    def write(self, data: bytes) -> None:
        """Send ``data``, or keep what the peer does not take yet. Does nothing once it is closed.

        Raises:
            NetworkError: The peer broke TLS.
        """
        ...

    async def drain(self) -> None:
        """Wait until little of what was written is left, or the connection has ended."""
        ...

    def wake_drainers(self) -> None:
        """Let ``drain`` return though the peer does not take anything."""
        ...

    @property
    def is_flushed(self) -> bool:
        """Whether the operating system has taken all that was written."""
        ...

    def is_readable(self) -> bool:
        """Return whether something has come that the loop has not handed on yet."""
        ...

    def pause_reading(self) -> None:
        """Let what comes wait with the operating system, and so with the peer."""
        ...

    def resume_reading(self) -> None:
        """Take bytes again."""
        ...

    def abort(self) -> None:
        """Drop the connection now. The receiver is not woken. May be called again."""
        ...


@runtime_checkable
class _Sized(Protocol):
    """A transport of asyncio's own, which says how much it reads at once; uvloop's does not."""

    max_size: int


class SocketChannelAsync(asyncio.Protocol):
    """An ``AsyncChannel`` over TCP; made by ``attach``.

    Attributes:
        inbox: What came before there was another receiver.
        is_closed: Whether it ended, or was aborted.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.inbox: Inbox = Inbox()
        self.receiver: Receiver | None = self.inbox
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._drainers: list[asyncio.Future[None]] = []
        self._look: Callable[[], object] | None = None
        self.is_closed: bool = False
        self._is_full = self._reads_much = False
        disown_after_fork(self)

    @classmethod
    async def attach(cls, sock: socket.socket) -> SocketChannelAsync:
        """Return a channel over a connected socket, which it owns from now on."""
        loop = asyncio.get_running_loop()
        channel = cls(sock)
        await loop.create_connection(lambda: channel, sock=sock)
        return channel

    def hand_to(self, receiver: Receiver) -> None:
        """Set the first receiver, and tell it what waits in ``inbox``."""
        self.receiver = receiver
        self.inbox.empty_into(receiver)

    def write(self, data: bytes) -> None:
        """Send ``data``, or keep what the peer does not take yet."""
        if self._transport is not None and not self.is_closed:
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until little of what was written is left, or the connection has ended."""
        if self.is_closed or self._transport is None:
            return
        # What a broken transport was given is dropped; it tells so in the loop's next turn only.
        if self._is_full or self._transport.is_closing():
            turn = asyncio.get_running_loop().create_future()
            self._drainers.append(turn)
            await turn

    def wake_drainers(self) -> None:
        """Let ``drain`` return though the peer does not take anything."""
        for turn in self._drainers:
            if not turn.done():
                turn.set_result(None)
        self._drainers.clear()

    @property
    def is_flushed(self) -> bool:
        """Whether the operating system has taken all that was written."""
        return self._transport is None or not self._transport.get_write_buffer_size()

    def is_readable(self) -> bool:
        """Return whether something has come that the loop has not handed on yet."""
        if self.is_closed:
            return True
        if self._look is None:
            self._look = readable_look(self._sock)
        return bool(self._look())

    def pause_reading(self) -> None:
        """Let what comes wait with the operating system."""
        if self._transport is not None and not self.is_closed:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take bytes again."""
        if self._transport is not None and not self.is_closed:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection now."""
        self.receiver = None
        self._end(None)
        if self._transport is not None:
            try:
                self._transport.abort()
            except RuntimeError:  # its loop was closed before it
                self._sock.close()

    def disown(self) -> None:
        """Let go of the parent's connection; its loop is not ours to touch."""
        self.receiver, self.is_closed = None, True
        self._sock.close()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # One of TCP can do both directions; that of uvloop is no subclass of asyncio's.
        self._transport = transport  # type: ignore[assignment]
        self._read_up_to(_READ_BYTES)

    def data_received(self, data: bytes) -> None:
        """Hand bytes on."""
        if (len(data) >= _READ_BYTES) is not self._reads_much:
            self._reads_much = not self._reads_much
            self._read_up_to(_MOST_BYTES if self._reads_much else _READ_BYTES)
        if self.receiver is not None:
            self.receiver.data_received(data)

    def _read_up_to(self, size: int) -> None:
        transport: object = self._transport
        if isinstance(transport, _Sized):
            transport.max_size = size

    def eof_received(self) -> None:
        """Take the peer's end for the end of both directions: HTTP and WebSocket need no half."""
        self._end(None)
        if self._transport is not None:
            self._transport.abort()  # closing would wait until the peer takes what it will not read

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake the receiver with the error that broke the connection."""
        if self.is_closed:
            return
        if exc is not None:
            self._salvage()
        self._end(None if exc is None else NetworkError(f"the connection broke: {reason_of(exc)}"))

    def pause_writing(self) -> None:
        """Make ``drain`` wait."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Let ``drain`` return."""
        self._is_full = False
        self.wake_drainers()

    def _salvage(self) -> None:
        """Read what came before a send failed: an early answer, most likely."""
        with suppress(OSError, ValueError):
            while self.receiver is not None and (data := self._sock.recv(_SALVAGE_BYTES)):
                self.receiver.data_received(data)

    def _end(self, error: TransportError | None) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self.wake_drainers()
        if self.receiver is not None:
            self.receiver.connection_lost(error)


class TlsChannelAsync:
    """An ``AsyncChannel`` that speaks TLS over another one, which it owns from now on.

    Args:
        inner: Carries the ciphertext.
        layer: Its handshake is done.

    Attributes:
        inbox: What came before there was another receiver.
    """

    def __init__(self, inner: AsyncChannel, layer: TlsLayer) -> None:
        self.inbox: Inbox = Inbox()
        self.receiver: Receiver | None = self.inbox
        self._inner = inner
        self._layer = layer
        self._is_over = False
        self.data_received(b"")  # what came together with the end of the handshake
        inner.hand_to(self)

    def hand_to(self, receiver: Receiver) -> None:
        """Set the first receiver, and tell it what waits in ``inbox``."""
        self.receiver = receiver
        self.inbox.empty_into(receiver)

    @property
    def is_closed(self) -> bool:
        """Whether it ended, or was aborted."""
        return self._is_over or self._inner.is_closed

    def write(self, data: bytes) -> None:
        """Send ``data``, encrypted."""
        view = memoryview(data)
        for start in range(0, len(view), _SEND_BYTES):
            self._inner.write(self._layer.encrypt(view[start : start + _SEND_BYTES]))

    async def drain(self) -> None:
        """Wait until little of what was written is left, or the connection has ended."""
        await self._inner.drain()

    def wake_drainers(self) -> None:
        """Let ``drain`` return though the peer does not take anything."""
        self._inner.wake_drainers()

    @property
    def is_flushed(self) -> bool:
        """Whether the operating system has taken all that was written."""
        return self._inner.is_flushed

    def is_readable(self) -> bool:
        """Return whether something has come that the loop has not handed on yet."""
        return self._is_over or self._inner.is_readable()

    def pause_reading(self) -> None:
        """Let what comes wait with the operating system."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Take bytes again."""
        self._inner.resume_reading()

    def abort(self) -> None:
        """Drop the connection now."""
        self.receiver = None
        self._inner.abort()

    # What the inner channel calls

    def data_received(self, data: bytes) -> None:
        """Decrypt bytes and hand them on."""
        layer = self._layer
        try:
            plaintext = layer.decrypt(data)
        except NetworkError as exc:
            self._end(exc)
            return
        if layer.has_outgoing:  # the answer to a change of keys
            self._inner.write(layer.take_outgoing())
        if plaintext and self.receiver is not None:
            self.receiver.data_received(plaintext)
        if layer.failure is not None:
            self._end(layer.failure)
        elif layer.is_over:
            self._inner.write(layer.goodbye())
            self._end(None)

    def connection_lost(self, error: TransportError | None) -> None:
        """Distinguish an end from a cut."""
        if error is None and not self._layer.is_over:
            error = NetworkError("the connection was cut: it ended without TLS's close_notify")
        self._end(error)

    def _end(self, error: TransportError | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        receiver, self.receiver = self.receiver, None
        self._inner.abort()
        if receiver is not None:
            receiver.connection_lost(error)
