"""Responses over a WebSocket under asyncio."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

from codex_api._async.socket_line import SocketLine
from codex_api._async.waits import BUSY_GENERATOR, Waiter
from codex_api._logic.calling.stream_call import CLOSED, IN_USE, NOT_OPEN, OVER
from codex_api._logic.calling.websocket_call import (
    SocketStreamFacts,
    encode_frame,
    probed,
    socket_call,
)
from codex_api._logic.incoming.collect import Collector
from codex_api._logic.outgoing.websocket_handshake import HandshakeFacts, handshake
from codex_api.errors import map_api_error
from codex_api.transport.errors import (
    ClientStateError,
    CodexApiError,
    HttpStatusError,
    TransportError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from types import TracebackType

    from codex_api._async.runner import Runner
    from codex_api._logic.incoming.collect import CollectedResponse
    from codex_api._logic.incoming.websocket_machine import WebSocketStreamMachine
    from codex_api.events import ResponseEvent
    from codex_api.telemetry import PollOutcome
    from codex_api.transport._core.headers import Headers
    from codex_api.transport.network import Network
    from codex_api.transport.websocket import AsyncWebSocket
    from codex_api.types.request import ResponsesApiRequest, ResponsesOptions
    from codex_api.types.websocket import WebSocketProbe

__all__ = ["AsyncResponsesWebSocket", "AsyncWebSocketResponseStream"]

UNAUTHORIZED = 401


class AsyncResponsesWebSocket:
    """A connection that carries one response after another.

    It is open when you get it. A request made while a response is under way waits for its end.
    After a failed or abandoned response the connection is of no more use: ``is_closed`` says so.

    Attributes:
        status: 101.
        headers: Header fields of the answer to the handshake.
        reasoning_included: Whether the server keeps reasoning items by itself.
        models_etag: Version of the server's model list, or None.
        server_model: The model that the server says it runs, or None.
    """

    def __init__(self, runner: Runner, socket: AsyncWebSocket, options: ResponsesOptions) -> None:
        self._runner = runner
        self._options = options
        self._line = SocketLine(socket)
        facts = self._line.facts
        self.status = facts.status
        self.headers = facts.headers
        self.reasoning_included = facts.reasoning_included
        self.models_etag = facts.models_etag
        self.server_model = facts.server_model

    @property
    def is_closed(self) -> bool:
        """Whether the connection is of no more use."""
        return self._line.is_closed

    @property
    def is_usable(self) -> bool:
        """Whether the caller may use it: open, and opened where the caller runs."""
        return not self._line.is_closed and self._line.socket.is_ours

    def stream(
        self,
        request: ResponsesApiRequest,
        previous_response_id: str | None = None,
        generate: bool | None = None,  # noqa: FBT001 - named as on the wire
        *,
        options: ResponsesOptions | None = None,
    ) -> AsyncWebSocketResponseStream:
        """Prepare a response; entering the result sends the request.

        Args:
            request: What to ask.
            previous_response_id: Response that the input continues; None sends a whole input.
            generate: False warms the server up without an answer.
            options: None takes those of the connection.

        Raises:
            RequestBuildError: The request cannot be encoded.
        """
        settings = self._runner.settings
        chosen = options or self._options
        frame = encode_frame(
            request,
            chosen,
            settings.telemetry,
            previous_response_id=previous_response_id,
            generate=generate,
        )
        return self.stream_frame(frame, chosen)

    def stream_frame(self, frame: bytes, options: ResponsesOptions) -> AsyncWebSocketResponseStream:
        """Prepare a response to a frame that is encoded already."""
        return AsyncWebSocketResponseStream(self._runner, self._line, frame, options)

    async def close(self) -> None:
        """Drop the connection, as the real client does: without a close frame. May be called twice.

        A task that waits for an event gets a ``ClientStateError``.
        """
        self._line.spoil(ClientStateError(CLOSED))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncWebSocketResponseStream(SocketStreamFacts):
    """The events of one response, as they arrive.

    Used as ``AsyncResponseStream`` is. Leaving the ``async with`` block early drops the connection,
    which tells the server to stop.
    """

    def __init__(
        self,
        runner: Runner,
        line: SocketLine,
        frame: bytes,
        options: ResponsesOptions,
    ) -> None:
        settings = runner.settings
        super().__init__(socket_call(settings.context, options, settings.telemetry, frame))
        self._runner = runner
        self._line = line
        self._frame = frame
        self._events: AsyncGenerator[ResponseEvent, None] | None = None
        self._waiting = False
        self._over = False
        self._closed = False
        self._waiter = Waiter(settings.clock.monotonic)

    async def __aenter__(self) -> Self:
        monotonic = self._runner.settings.clock.monotonic
        started_at = monotonic()
        self._begin(started_at)
        try:
            reused = await self._line.take(self, self._call.first_event_timeout)
            machine = self._start_on_socket(self._line.facts, started_at, monotonic())
            await self._send(machine, reused=reused)
        except BaseException as exc:
            self._let_go(ClientStateError(CLOSED))
            self._end(exc)
            raise
        self._events = self._read(self._line.socket, machine)
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
        """Stop here; unless the response is complete, that drops the connection."""
        self._closed = True
        self._let_go(ClientStateError(CLOSED))
        if self._events is not None and not self._waiting:
            with suppress(BUSY_GENERATOR):  # another task runs it after all, and will see the end
                await self._events.aclose()
                self._end()

    async def collect(self) -> CollectedResponse:
        """Read to the end and gather what came; outside an ``async with`` it opens and closes too.

        Raises:
            CodexApiError: The failure that ended the response; ``partial`` holds what came before.
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

    async def _send(self, machine: WebSocketStreamMachine, *, reused: bool) -> None:
        monotonic = self._runner.settings.clock.monotonic
        began = monotonic()
        error: CodexApiError | None = None
        try:
            await self._line.socket.send(self._frame, self._call.idle_timeout)
        except TransportError as exc:
            error = machine.lost(exc)
            self._let_go(error)
            raise error from exc
        finally:
            if self._call.telemetry:
                duration = monotonic() - began
                self._call.telemetry.on_ws_request(duration, error, connection_reused=reused)

    def _readable(self) -> AsyncGenerator[ResponseEvent, None]:
        events = self._events
        if events is None:
            raise ClientStateError(NOT_OPEN)
        if self._waiting:
            raise ClientStateError(IN_USE)
        if self._closed and not self._opened().done:
            raise ClientStateError(CLOSED)
        return events

    async def _read(
        self, socket: AsyncWebSocket, machine: WebSocketStreamMachine
    ) -> AsyncGenerator[ResponseEvent, None]:
        monotonic = self._runner.settings.clock.monotonic
        feed = self._heard(machine.feed)
        fed_at = self._opened_at
        try:
            for event in machine.initial:
                yield event
            while not machine.done:
                message = await self._receive(socket, machine, fed_at)
                fed_at = monotonic()
                events = feed(message, fed_at)
                if machine.done or machine.failure is not None:
                    self._let_go(machine.failure)  # before the caller looks at the last events
                for event in events:
                    yield event
                if machine.failure is not None:
                    raise machine.failure
        except CodexApiError as exc:
            self._let_go(exc)
            self._end(exc)
            raise
        finally:
            self._over = True
            self._end()
            self._waiter.stop()
            self._let_go(ClientStateError(CLOSED))

    async def _receive(
        self, socket: AsyncWebSocket, machine: WebSocketStreamMachine, fed_at: float
    ) -> str | bytes:
        monotonic = self._runner.settings.clock.monotonic
        began = monotonic()
        deadline = self._due(machine, began, fed_at)
        outcome: PollOutcome = "error"
        self._waiting = True
        try:
            while True:
                try:
                    message = await self._waiter.receive(socket, deadline)
                    break
                except TransportTimeoutError:
                    now = monotonic()
                    # A ping may have moved the limit while we waited for it.
                    machine.heard(now - socket.silence)
                    deadline = self._deadline(machine, began - fed_at)
                    if deadline is not None and deadline <= now:
                        raise
            outcome = "data"
        except TransportTimeoutError as exc:
            outcome = "timeout"
            raise self._late(machine, monotonic()) from exc
        except TransportError as exc:
            if self._line.was_closed_here or isinstance(exc, ClientStateError):
                raise ClientStateError(CLOSED) from exc
            raise machine.lost(exc) from exc
        else:
            return message
        finally:
            self._waiting = False
            if self._call.telemetry is not None:
                self._call.telemetry.on_ws_event(outcome, monotonic() - began)

    def _let_go(self, failure: CodexApiError | None) -> None:
        """Give the connection back; ``failure`` spoils it unless the response is complete."""
        done = self._machine is not None and self._machine.done
        self._line.release(self, None if done else failure)


async def connect_responses(
    runner: Runner,
    network: Network,
    options: ResponsesOptions,
    extra_headers: Mapping[str, str] | Headers | None = None,
) -> AsyncResponsesWebSocket:
    """Open a connection; credentials that are refused are renewed once.

    Raises:
        CodexApiError: The mapped failure.
    """
    socket = await _open(runner, network, options, extra_headers)
    return AsyncResponsesWebSocket(runner, socket, options)


async def probe_responses(
    runner: Runner,
    network: Network,
    options: ResponsesOptions,
    extra_headers: Mapping[str, str] | Headers | None,
    immediate_close_timeout: float,
) -> WebSocketProbe:
    """Open a connection, wait a moment for a close frame, and drop it.

    Raises:
        CodexApiError: The mapped failure.
    """
    socket = await _open(runner, network, options, extra_headers)
    monotonic = runner.settings.clock.monotonic
    waiter = Waiter(monotonic)
    ended: CodexApiError | None = None
    try:
        await waiter.receive(socket, monotonic() + immediate_close_timeout)
    except TransportTimeoutError:
        pass
    except CodexApiError as exc:
        ended = exc
    finally:
        waiter.stop()
        socket.abort()
    facts = HandshakeFacts.of(socket.status, socket.headers)
    return probed(socket.upgrade.url, facts, ended)


async def _open(
    runner: Runner,
    network: Network,
    options: ResponsesOptions,
    extra_headers: Mapping[str, str] | Headers | None,
) -> AsyncWebSocket:
    from codex_api.transport.websocket import connect_async  # noqa: PLC0415 - only where it is used

    settings = runner.settings
    settings.check_open()
    refreshed = False
    while True:
        generation = runner.auth.generation
        try:
            request = handshake(
                settings.context, settings.defaults, runner.auth.auth, options, extra_headers
            )
            return await connect_async(
                request.url,
                request.headers,
                network=network,
                deflate=True,
                connect_timeout=settings.context.timeouts.connect,
                max_message_bytes=options.max_event_bytes,
            )
        except CodexApiError as exc:
            refused = isinstance(exc, HttpStatusError) and exc.status == UNAUTHORIZED
            if refused and not refreshed and await runner.auth.refresh(generation):
                refreshed = True
                continue
            error = map_api_error(exc, now=settings.clock.wall())
            if error is exc:
                raise
            raise error from exc
