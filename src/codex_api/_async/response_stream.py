"""One streamed response under asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codex_api._async.event_stream import AsyncEventStream
from codex_api._async.waits import Waiter
from codex_api._logic.calling.log import logged
from codex_api._logic.calling.stream_call import StreamCall, StreamFacts
from codex_api.transport.errors import NetworkError, TransportTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from codex_api._async.runner import Runner
    from codex_api._logic.incoming.observe import Feed
    from codex_api.events import RawEvent, ResponseEvent
    from codex_api.telemetry import PollOutcome
    from codex_api.transport.protocols import AsyncStreamResponse


class AsyncResponseStream(AsyncEventStream, StreamFacts):
    """The events of one response, as they arrive.

    Use it in an ``async with`` block, which makes the call on entry and closes the connection on
    exit, wherever the reading stopped. It is read once, by one task at a time; what was already
    read is not repeated. ``close`` may be called from any task of the loop.

    Raises:
        CodexApiError: On entry and while reading: the mapped failure, raised the moment it is read.
    """

    def __init__(self, runner: Runner, call: StreamCall) -> None:
        AsyncEventStream.__init__(self)
        StreamFacts.__init__(self, call)
        self._runner = runner
        self._monotonic = runner.settings.clock.monotonic
        self._waiter = Waiter(self._monotonic)
        self._response: AsyncStreamResponse | None = None
        self._give_up: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._feed: Feed[bytes]
        self._fed_at = 0.0

    async def _open(self) -> list[ResponseEvent]:
        started_at = self._monotonic()
        observer = self._begin(started_at)
        self._response, self._attempts = response, _ = await self._runner.open(
            self._call.request,
            started_at,
            observer,
            begun=self._begun,
            asks_once=self._call.asks_once,
        )
        self._fed_at = self._monotonic()
        machine = self._start_machine(response.headers, started_at, self._fed_at)
        self._feed = logged(self._heard(machine.feed), "HTTP")
        return machine.initial

    def _begun(self, give_up: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Keep what ends the wait for the head, which comes before anything is sent."""
        self._give_up = give_up
        self._check_not_closed()

    async def _more(self) -> list[ResponseEvent] | None:
        machine, response = self._machine, self._response
        assert machine is not None  # noqa: S101 - it is open
        assert response is not None  # noqa: S101 - it is open
        if machine.failure is not None:
            raise machine.failure
        if machine.done:
            return None
        began = self._monotonic()
        deadline = self._due(machine, began, self._fed_at)
        outcome: PollOutcome = "error"
        try:
            chunk = await self._waiter.read(response, deadline)
            outcome = "end" if chunk is None else "data"
        except TransportTimeoutError as exc:
            outcome = "timeout"
            raise self._late(machine, self._monotonic()) from exc
        except NetworkError as exc:
            raise machine.broken(exc) from exc
        finally:
            if self._call.telemetry is not None:
                self._call.telemetry.on_sse_poll(outcome, self._monotonic() - began)
        self._fed_at = now = self._monotonic()
        events = machine.close() if chunk is None else self._feed(chunk, now)
        if machine.done or machine.failure is not None:
            self._waiter.stop()
            await response.aclose()  # before the caller looks at the last events
        return events

    async def _let_go(self, error: BaseException | None = None) -> None:
        del error
        self._waiter.interrupt()
        if self._response is not None:
            await self._response.aclose()
        elif self._give_up is not None:
            await self._give_up()

    @property
    def _is_complete(self) -> bool:
        return self._machine is not None and self._machine.done

    @property
    def _facts(self) -> StreamFacts:
        return self

    def _keep_raw(self) -> None:
        self._opened().keep_raw()

    def _take_raw(self) -> list[RawEvent]:
        return self._opened().take_raw()

    def _ended(self, error: BaseException | None = None) -> None:
        self._waiter.stop()
        self._end(error)
