"""One streamed response under asyncio."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

from codex_api._async.waits import BUSY_GENERATOR, Waiter
from codex_api._logic.calling.stream_call import (
    CLOSED,
    IN_USE,
    NOT_OPEN,
    OVER,
    StreamCall,
    StreamFacts,
)
from codex_api._logic.incoming.collect import Collector
from codex_api.transport.errors import (
    ClientStateError,
    CodexApiError,
    NetworkError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType

    from codex_api._async.runner import Runner
    from codex_api._logic.incoming.collect import CollectedResponse
    from codex_api._logic.incoming.machine import ResponseStreamMachine
    from codex_api.events import ResponseEvent
    from codex_api.telemetry import PollOutcome
    from codex_api.transport.protocols import AsyncStreamResponse


class AsyncResponseStream(StreamFacts):
    """The events of one response, as they arrive.

    Use it in an ``async with`` block, which makes the call on entry and closes the connection on
    exit, wherever the reading stopped. It is read once, by one task at a time; what was already
    read is not repeated. ``close`` may be called from any task of the loop.

    Raises:
        CodexApiError: On entry and while reading: the mapped failure, raised the moment it is read.
    """

    def __init__(self, runner: Runner, call: StreamCall) -> None:
        super().__init__(call)
        self._runner = runner
        self._response: AsyncStreamResponse | None = None
        self._events: AsyncGenerator[ResponseEvent, None] | None = None
        self._waiter: Waiter | None = None
        self._reading = self._over = self._closed = False

    async def __aenter__(self) -> Self:
        clock = self._runner.settings.clock
        started_at = clock.monotonic()
        observer = self._begin(started_at)
        try:
            self._response = await self._runner.open(self._call.request, started_at, observer)
        except BaseException as exc:
            self._end(exc)
            raise
        self._start_machine(self._response.headers, started_at, clock.monotonic())
        self._waiter = Waiter(clock.monotonic)
        self._events = self._read(self._response, self._opened(), self._waiter)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __aiter__(self) -> AsyncGenerator[ResponseEvent, None]:
        events = self._readable()
        if self._over:
            raise ClientStateError(OVER)
        return events

    async def __anext__(self) -> ResponseEvent:
        return await anext(self._readable())

    async def close(self) -> None:
        """Close the connection now, which tells the server to stop. May be called twice.

        A task that is waiting for an event gets a ``ClientStateError``.
        """
        self._closed = True
        if self._waiter is not None:
            self._waiter.interrupt()
        if self._response is not None:
            await self._response.aclose()
        if self._events is not None and not self._reading:
            with suppress(BUSY_GENERATOR):  # another task runs it after all, and will see the end
                await self._events.aclose()
                self._end()

    async def collect(self) -> CollectedResponse:
        """Read to the end and gather what came; outside an ``async with`` it opens and closes too.

        Raises:
            CodexApiError: The failure that ended the response; what had come is its ``partial``.
        """
        if self._machine is None:
            async with self:
                return await self.collect()
        collector = Collector()
        try:
            async for event in self:
                collector.add(event)
        except CodexApiError as exc:
            collector.fail(exc, self)
            raise
        return collector.finish(self)

    def _readable(self) -> AsyncGenerator[ResponseEvent, None]:
        events = self._events
        if events is None:
            raise ClientStateError(NOT_OPEN)
        if self._reading:
            raise ClientStateError(IN_USE)
        if self._closed and not self._opened().done:
            raise ClientStateError(CLOSED)
        return events

    async def _read(
        self, response: AsyncStreamResponse, machine: ResponseStreamMachine, waiter: Waiter
    ) -> AsyncGenerator[ResponseEvent, None]:
        monotonic = self._runner.settings.clock.monotonic
        feed = self._heard(machine.feed)
        fed_at = self._opened_at
        try:
            for event in machine.initial:
                yield event
            while not machine.done:
                chunk = await self._wait(response, machine, waiter, fed_at)
                fed_at = monotonic()
                events = machine.close() if chunk is None else feed(chunk, fed_at)
                if machine.done or machine.failure is not None:
                    await response.aclose()  # before the caller looks at the last events
                for event in events:
                    yield event
                if machine.failure is not None:
                    raise machine.failure
        except CodexApiError as exc:
            self._end(exc)
            raise
        finally:
            self._over = True
            self._end()
            waiter.stop()
            await response.aclose()

    async def _wait(
        self,
        response: AsyncStreamResponse,
        machine: ResponseStreamMachine,
        waiter: Waiter,
        fed_at: float,
    ) -> bytes | None:
        monotonic = self._runner.settings.clock.monotonic
        now = monotonic()
        deadline = self._due(machine, now, fed_at)
        outcome: PollOutcome = "error"
        self._reading = True
        try:
            chunk = await waiter.read(response, deadline)
            outcome = "end" if chunk is None else "data"
        except TransportTimeoutError as exc:
            outcome = "timeout"
            raise self._late(machine, monotonic()) from exc
        except NetworkError as exc:
            raise machine.broken(exc) from exc
        else:
            return chunk
        finally:
            self._reading = False
            if self._call.telemetry is not None:
                self._call.telemetry.on_sse_poll(outcome, monotonic() - now)
