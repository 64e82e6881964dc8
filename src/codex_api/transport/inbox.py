"""Who takes what comes in on a connection under asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from codex_api.transport.errors import TransportError


class Receiver(Protocol):
    """Takes what comes in on an ``AsyncChannel``. Its methods must not raise."""

    def data_received(self, data: bytes) -> None:
        """Take at least one byte."""
        ...

    def connection_lost(self, error: TransportError | None) -> None:
        """Handle the end of what comes: None for a proper end. Called once at most."""
        ...


class Inbox:
    """The receiver of a new channel: what came waits until it is read. For one task at a time.

    A loop may hand on several reads, and the end, before the task runs that waits for the first.
    """

    __slots__ = ("_data", "_ended", "_error", "_waiter")

    def __init__(self) -> None:
        self._data = bytearray()
        self._error: TransportError | None = None
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        """Wait for bytes; none is the end of the connection.

        Raises:
            NetworkError: The connection broke.
        """
        if not self._data and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._data:
            return self.take()
        if self._error is not None:
            raise self._error
        return b""

    def empty_into(self, receiver: Receiver) -> None:
        """Tell ``receiver`` what waits, and the end if it has come."""
        if self._data:
            receiver.data_received(self.take())
        if self._ended:
            receiver.connection_lost(self._error)

    def take(self) -> bytes:
        """Return what waits."""
        data = bytes(self._data)
        self._data.clear()
        return data

    def data_received(self, data: bytes) -> None:
        """Keep bytes."""
        self._data += data
        self._wake()

    def connection_lost(self, error: TransportError | None) -> None:
        """Note the end."""
        self._error, self._ended = error, True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
