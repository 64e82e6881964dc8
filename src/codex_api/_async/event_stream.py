"""Reading the events of one response, whatever they come over."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import TYPE_CHECKING, Self, assert_never

from codex_api._async.waits import home, keeper
from codex_api._logic.calling.reading import (
    CLOSED,
    FAILED,
    FOREIGN,
    IN_USE,
    NOT_OPEN,
    OPENED_ONCE,
    OVER,
)
from codex_api._logic.incoming.collect import Collector
from codex_api.events import RawEvent
from codex_api.transport.errors import ClientStateError, CodexApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from codex_api._async.waits import Keeper
    from codex_api._logic.calling.reading import StreamState
    from codex_api._logic.incoming.collect import CollectedResponse, StreamFacts
    from codex_api.events import ResponseEvent


_CLOSABLE = frozenset({"new", "opening", "open"})


class AsyncEventStream:
    """One response, read once and by one task at a time.

    A source of events derives from it, and says how it is opened, read and let go. ``close`` may
    come at any time and from anywhere; it ends the wait that is going on. Which side of a race
    between the two wins is decided by the state alone: once it is ``CLOSED``, a reader gets a
    ``ClientStateError``, unless the response was complete before.
    """

    # What lets it go if nobody does; None once it is. Of the class, for what was never made.
    _keeper: Keeper | None = None

    def __init__(self) -> None:
        self._state: StreamState = "new"
        self._ready: Iterator[ResponseEvent] = iter(())
        # Taken by the reader, and never waited for, so it is right in both worlds.
        self._reader = threading.Lock()
        self._home: object = None

    @abstractmethod
    async def _open(self) -> list[ResponseEvent]:
        """Make the call, and return the events that its head told."""

    @abstractmethod
    async def _more(self) -> list[ResponseEvent] | None:
        """Wait for further events. An empty list says nothing, None is the end.

        Raises:
            CodexApiError: The failure that ended the response.
        """

    @abstractmethod
    async def _let_go(self, error: BaseException | None = None) -> None:
        """Drop the source, whose reader may be waiting for it. Called several times."""

    @property
    @abstractmethod
    def _is_complete(self) -> bool:
        """Whether the response came to its end, so that nothing is lost by closing."""

    @property
    @abstractmethod
    def _facts(self) -> StreamFacts:
        """What a collected response tells beside its events."""

    @abstractmethod
    def _keep_raw(self) -> None:
        """Keep the payloads that are read from now on."""

    @abstractmethod
    def _take_raw(self) -> list[RawEvent]:
        """Return the payloads that were kept since the last look."""

    def _ended(self, error: BaseException | None = None) -> None:
        """Clean up, and notify observers. Nobody reads meanwhile; called several times."""

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise ClientStateError(OPENED_ONCE)
        self._state = "opening"
        self._keeper = kept_by = keeper()
        try:
            if not kept_by.is_up:
                await kept_by.start()
            kept_by.add(self)
            initial = await self._open()
            self._check_not_closed()
        except BaseException as exc:
            await self._fail(exc)
            raise
        self._ready = iter(initial)
        self._home = home()
        self._state = "open"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        self._check_readable()
        if self._state == "over":
            raise ClientStateError(OVER)
        if self._reader.locked():
            raise ClientStateError(IN_USE)
        return self

    async def __anext__(self) -> ResponseEvent:
        for event in self._ready:
            return event
        while (events := await self.next_events()) is not None:
            self._ready = iter(events)
            for event in self._ready:
                return event
        raise StopAsyncIteration

    async def next_events(self) -> list[ResponseEvent] | None:
        """Wait for events, and return those that came together; None at the end.

        Raises:
            CodexApiError: The failure that ended the response.
            ClientStateError: It is not open, was closed, or is being read elsewhere.
        """
        if self._state != "open":
            if self._state == "over":
                return None
            self._check_readable()
        if self._home is not home():
            raise ClientStateError(FOREIGN)
        if not self._reader.acquire(blocking=False):
            self._check_readable()
            raise ClientStateError(IN_USE)
        try:
            events = list(self._ready) or await self._more()
            if self._state == "closed":
                self._check_not_closed()
            if events is None:
                self._state = "over"
                await self._end_reading()
        except BaseException as exc:
            await self._fail(exc)
            raise
        else:
            return events
        finally:
            self._reader.release()

    async def raw_events(self) -> AsyncIterator[RawEvent]:
        """Read on payload by payload, each as it came and with what was made of it.

        For whoever passes a stream on unchanged, or keeps it. Payloads of which nothing is made are
        among them, comments are not; the one that ends the response badly comes before its error.
        Only what is read from here on can be given.

        Raises:
            CodexApiError: The failure that ended the response.
            ClientStateError: As for ``next_events``.
        """
        self._check_readable()
        self._keep_raw()
        error: CodexApiError | None = None
        found: list[ResponseEvent] | None = []
        while found is not None:
            try:
                found = await self.next_events()
            except CodexApiError as exc:
                error, found = exc, None
            # What was made of headers, or by a session, was no payload.
            for raw in self._take_raw() or [RawEvent(b"", [event]) for event in found or ()]:
                yield raw
        if error is not None:
            raise error

    async def close(self) -> None:
        """Close the connection now, which tells the server to stop. May be called twice.

        A task that waits for an event, or for the answer to begin, gets a ``ClientStateError``.
        """
        state = self._state
        if state == "over" and self._keeper is None:
            return  # all is let go
        if state in _CLOSABLE:
            self._state = "closed"
        if not self._is_complete:
            self._ready = iter(())
        await self._let_go()
        if self._reader.acquire(blocking=False):  # else the reader sees to the rest
            try:
                await self._end_reading()
                if self._is_complete and self._state == "closed":
                    self._state = "over"
            finally:
                self._reader.release()

    async def collect(self) -> CollectedResponse:
        """Read to the end and gather what came; outside an ``async with`` it opens and closes too.

        Raises:
            CodexApiError: The failure that ended the response; what had come is its ``partial``.
        """
        if self._state == "new":
            async with self:
                return await self.collect()
        collector = Collector()
        try:
            async for event in self:
                collector.add(event)
        except CodexApiError as exc:
            collector.fail(exc, self._facts)
            raise
        return collector.finish(self._facts)

    def _check_not_closed(self) -> None:
        if self._state == "closed" and not self._is_complete:
            raise ClientStateError(CLOSED)

    def _check_readable(self) -> None:
        match self._state:
            case "new" | "opening":
                raise ClientStateError(NOT_OPEN)
            case "closed" if not self._is_complete:
                raise ClientStateError(CLOSED)
            case "failed":
                raise ClientStateError(FAILED)
            case "open" | "over" | "closed":
                pass
            case _:
                assert_never(self._state)

    async def _fail(self, error: BaseException) -> None:
        """End with ``error``, which is about to be raised, or with the closing that caused it."""
        closed = self._state == "closed" and not self._is_complete
        if not closed:
            self._state = "failed"
        await self._end_reading(error)
        if closed and isinstance(error, Exception) and error.args != (CLOSED,):
            raise ClientStateError(CLOSED) from error

    async def _end_reading(self, error: BaseException | None = None) -> None:
        """Let everything go. Whoever calls it holds ``_reader``."""
        await self._let_go(error)
        self._ended(error)
        self._keeper = None

    async def _abandon(self) -> None:
        """Let the stream go that nobody reads any more."""
        if self._keeper is not None:
            self._keeper = None
            await self._let_go()
            self._ended()

    def __del__(self) -> None:
        if self._keeper is not None:
            self._keeper.forget(self)
