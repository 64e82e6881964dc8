# Generated from src/codex_api/_async/response_stream.py by tools/generate_sync.py; do not edit.
"""One streamed response in blocking code."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

from codex_api._logic.calling.stream_call import (
    CLOSED,
    IN_USE,
    NOT_OPEN,
    OVER,
    StreamCall,
    StreamFacts,
)
from codex_api._logic.incoming.collect import Collector
from codex_api._sync.waits import BUSY_GENERATOR, Waiter
from codex_api.transport.errors import (
    ClientStateError,
    CodexApiError,
    NetworkError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from codex_api._logic.incoming.collect import CollectedResponse
    from codex_api._logic.incoming.machine import ResponseStreamMachine
    from codex_api._sync.runner import Runner
    from codex_api.events import ResponseEvent
    from codex_api.telemetry import PollOutcome
    from codex_api.transport.protocols import StreamResponse


class ResponseStream(StreamFacts):
    """The events of one response, as they arrive.

    Use it in a ``with`` block, which makes the call on entry and closes the connection on
    exit, wherever the reading stopped. It is read once, by one thread at a time; what was already
    read is not repeated. ``close`` may be called from any thread.

    Raises:
        CodexApiError: On entry and while reading: the mapped failure, raised the moment it is read.
    """

    def __init__(self, runner: Runner, call: StreamCall) -> None:
        super().__init__(call)
        self._runner = runner
        self._response: StreamResponse | None = None
        self._events: Generator[ResponseEvent, None, None] | None = None
        self._waiter: Waiter | None = None
        self._reading = self._over = self._closed = False

    def __enter__(self) -> Self:
        clock = self._runner.settings.clock
        started_at = clock.monotonic()
        observer = self._begin(started_at)
        try:
            self._response = self._runner.open(self._call.request, started_at, observer)
        except BaseException as exc:
            self._end(exc)
            raise
        self._start_machine(self._response.headers, started_at, clock.monotonic())
        self._waiter = Waiter(clock.monotonic)
        self._events = self._read(self._response, self._opened(), self._waiter)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Generator[ResponseEvent, None, None]:
        events = self._readable()
        if self._over:
            raise ClientStateError(OVER)
        return events

    def __next__(self) -> ResponseEvent:
        return next(self._readable())

    def close(self) -> None:
        """Close the connection now, which tells the server to stop. May be called twice.

        A thread that is waiting for an event gets a ``ClientStateError``.
        """
        self._closed = True
        if self._waiter is not None:
            self._waiter.interrupt()
        if self._response is not None:
            self._response.close()
        if self._events is not None and not self._reading:
            with suppress(BUSY_GENERATOR):  # another thread runs it after all, and will see the end
                self._events.close()
                self._end()

    def collect(self) -> CollectedResponse:
        """Read to the end and gather what came; outside a ``with`` block it opens and closes too.

        Raises:
            CodexApiError: The failure that ended the response; what had come is its ``partial``.
        """
        if self._machine is None:
            with self:
                return self.collect()
        collector = Collector()
        try:
            for event in self:
                collector.add(event)
        except CodexApiError as exc:
            collector.fail(exc, self)
            raise
        return collector.finish(self)

    def _readable(self) -> Generator[ResponseEvent, None, None]:
        events = self._events
        if events is None:
            raise ClientStateError(NOT_OPEN)
        if self._reading:
            raise ClientStateError(IN_USE)
        if self._closed and not self._opened().done:
            raise ClientStateError(CLOSED)
        return events

    def _read(
        self, response: StreamResponse, machine: ResponseStreamMachine, waiter: Waiter
    ) -> Generator[ResponseEvent, None, None]:
        monotonic = self._runner.settings.clock.monotonic
        feed = self._heard(machine.feed)
        fed_at = self._opened_at
        try:
            for event in machine.initial:
                yield event
            while not machine.done:
                chunk = self._wait(response, machine, waiter, fed_at)
                fed_at = monotonic()
                events = machine.close() if chunk is None else feed(chunk, fed_at)
                if machine.done or machine.failure is not None:
                    response.close()  # before the caller looks at the last events
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
            response.close()

    def _wait(
        self,
        response: StreamResponse,
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
            chunk = waiter.read(response, deadline)
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
