"""Responses over a WebSocket under asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from codex_api._async.event_stream import AsyncEventStream
from codex_api._async.shared_socket import SharedSocket
from codex_api._async.waits import Waiter
from codex_api._logic.calling.call_watch import call_start
from codex_api._logic.calling.log import logged
from codex_api._logic.calling.reading import CLOSED
from codex_api._logic.calling.websocket_call import (
    SocketStreamFacts,
    encode_frame,
    probed,
    socket_call,
)
from codex_api._logic.outgoing.websocket_handshake import HandshakeFacts, handshake
from codex_api.transport.errors import (
    ClientStateError,
    CodexApiError,
    TransportError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from codex_api._async.runner import Runner
    from codex_api._logic.calling.dialing import Dialing
    from codex_api._logic.incoming.observe import Feed
    from codex_api._logic.incoming.websocket_machine import WebSocketStreamMachine
    from codex_api.events import RawEvent, ResponseEvent
    from codex_api.telemetry import CallObserver, PollOutcome
    from codex_api.transport._core.headers import Headers
    from codex_api.transport.network import Network
    from codex_api.transport.websocket_async import AsyncWebSocket
    from codex_api.types.request import AnyRequest, ResponsesOptions
    from codex_api.types.websocket import WebSocketProbe

__all__ = ["AsyncResponsesWebSocket", "AsyncWebSocketResponseStream"]


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
        turn_state: The sticky-routing value that the server gave for this turn, or None.
    """

    def __init__(self, runner: Runner, socket: AsyncWebSocket, options: ResponsesOptions) -> None:
        self._runner = runner
        self._options = options
        self._shared = SharedSocket(socket)
        facts = self._shared.facts
        self.status: int = facts.status
        self.headers: Headers = facts.headers
        self.reasoning_included: bool = facts.reasoning_included
        self.models_etag: str | None = facts.models_etag
        self.server_model: str | None = facts.server_model
        self.turn_state: str | None = facts.turn_state

    @property
    def is_closed(self) -> bool:
        """Whether the connection is of no more use."""
        return self._shared.is_closed

    @property
    def is_usable(self) -> bool:
        """Whether the caller may use it: open, and opened where the caller runs."""
        return not self._shared.is_closed and self._shared.socket.is_ours

    def stream(
        self,
        request: AnyRequest,
        previous_response_id: str | None = None,
        generate: bool | None = None,  # noqa: FBT001 - named as on the wire
        *,
        options: ResponsesOptions | None = None,
    ) -> AsyncWebSocketResponseStream:
        """Prepare a response; entering the result sends the request.

        Args:
            request: What to ask; a mapping says nothing but what is in it.
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
        return AsyncWebSocketResponseStream(self._runner, self._shared, frame, options)

    async def close(self) -> None:
        """Drop the connection, as the real client does: without a close frame. May be called twice.

        A task that waits for an event gets a ``ClientStateError``.
        """
        self._shared.fail(ClientStateError(CLOSED))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncWebSocketResponseStream(AsyncEventStream, SocketStreamFacts):
    """The events of one response, as they arrive.

    Used as ``AsyncResponseStream`` is. Leaving the ``async with`` block early drops the connection,
    which tells the server to stop.
    """

    def __init__(
        self,
        runner: Runner,
        shared: SharedSocket,
        frame: bytes,
        options: ResponsesOptions,
    ) -> None:
        settings = runner.settings
        AsyncEventStream.__init__(self)
        SocketStreamFacts.__init__(
            self, socket_call(settings.context, options, settings.telemetry, frame)
        )
        self._shared = shared
        self._frame = frame
        self._monotonic = settings.clock.monotonic
        self._waiter = Waiter(self._monotonic)
        self._socket_machine: WebSocketStreamMachine
        self._feed: Feed[list[str | bytes]]
        self._fed_at = 0.0

    async def _open(self) -> list[ResponseEvent]:
        started_at = self._monotonic()
        self._begin(started_at)
        reused = await self._shared.take(self, self._call.first_event_timeout)
        self._fed_at = self._monotonic()
        machine = self._start_on_socket(self._shared.facts, started_at, self._fed_at)
        self._socket_machine, self._feed = (
            machine,
            logged(self._heard(machine.feed_all), "WebSocket"),
        )
        told = self._shared.facts.turn_state
        if told is not None and not reused:  # the handshake belongs to the first response's turn
            machine.turn_state.offer(told)
        await self._send(machine, reused=reused)
        return machine.initial

    async def _send(self, machine: WebSocketStreamMachine, *, reused: bool) -> None:
        began = self._monotonic()
        error: CodexApiError | None = None
        try:
            await self._shared.socket.send(self._frame, self._call.idle_timeout)
        except TransportError as exc:
            error = machine.lost(exc)
            raise error from exc
        finally:
            if self._call.telemetry:
                duration = self._monotonic() - began
                self._call.telemetry.on_ws_request(duration, error, connection_reused=reused)

    async def _more(self) -> list[ResponseEvent] | None:
        machine = self._socket_machine
        if machine.failure is not None:
            raise machine.failure
        if machine.done:
            return None
        message = await self._wait(self._shared.socket, machine)
        self._fed_at = now = self._monotonic()
        events = self._feed([message], now)
        # What came with it costs no further wait; what follows the end is the next response's.
        while not (machine.done or machine.failure is not None):
            further = self._shared.socket.peek()
            if not further:
                break
            events += self._feed(further, now)
            self._shared.socket.take(machine.taken)
            if (telemetry := self._call.telemetry) is not None:
                for _ in range(machine.taken):
                    telemetry.on_ws_event("data", 0.0)
        if machine.done or machine.failure is not None:
            await self._let_go(machine.failure)  # before the caller looks at the last events
        return events

    async def _wait(self, socket: AsyncWebSocket, machine: WebSocketStreamMachine) -> str | bytes:
        began = self._monotonic()
        deadline = self._due(machine, began, self._fed_at)
        outcome: PollOutcome = "error"
        try:
            while True:
                try:
                    message = await self._waiter.receive(socket, deadline)
                    break
                except TransportTimeoutError:
                    now = self._monotonic()
                    # A ping may have moved the limit while we waited for it.
                    machine.received(now - socket.silence)
                    deadline = self._deadline(machine, began - self._fed_at)
                    if deadline is not None and deadline <= now:
                        raise
            outcome = "data"
        except TransportTimeoutError as exc:
            outcome = "timeout"
            raise self._late(machine, self._monotonic()) from exc
        except TransportError as exc:
            if self._shared.was_closed_here or isinstance(exc, ClientStateError):
                raise ClientStateError(CLOSED) from exc
            raise machine.lost(exc) from exc
        else:
            return message
        finally:
            if self._call.telemetry is not None:
                self._call.telemetry.on_ws_event(outcome, self._monotonic() - began)

    async def _let_go(self, error: BaseException | None = None) -> None:
        """Release the connection; unless the response is complete, it is not used again."""
        failure = error if isinstance(error, CodexApiError) else ClientStateError(CLOSED)
        self._shared.release(self, None if self._is_complete else failure)

    @property
    def _is_complete(self) -> bool:
        return self._machine is not None and self._machine.done

    @property
    def _facts(self) -> SocketStreamFacts:
        return self

    def _keep_raw(self) -> None:
        self._opened().keep_raw()

    def _take_raw(self) -> list[RawEvent]:
        return self._opened().take_raw()

    def _ended(self, error: BaseException | None = None) -> None:
        self._waiter.stop()
        self._end(error)


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
    connection = AsyncResponsesWebSocket(runner, socket, options)
    if options.turn_state is not None and connection.turn_state is not None:
        options.turn_state.offer(connection.turn_state)
    return connection


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
    dialing = handshake(runner.settings.context, options, extra_headers)
    start = call_start("responses", dialing.request)
    return await runner.watched(start, lambda observer: _dial(runner, network, dialing, observer))


async def _dial(
    runner: Runner, network: Network, dialing: Dialing, observer: CallObserver | None
) -> AsyncWebSocket:
    try:
        return await runner.connect(dialing, network, observer)
    except CodexApiError as exc:
        runner.settings.raise_mapped(exc)
