# Generated from src/codex_api/_async/runner.py by tools/generate_sync.py; do not edit.
"""Performs the effects of flows in blocking code.

All that a client sends or opens comes through here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar, assert_never

from codex_api._logic.calling.call_watch import call_start, watch_call
from codex_api._logic.calling.log import CONNECTION
from codex_api._logic.incoming.failure_body import ERROR_BODY_TIMEOUT, MAX_ERROR_BODY_BYTES
from codex_api._sync.waits import Waiter
from codex_api.transport._core import flow as flows
from codex_api.transport._core.flow import Authorize, Flow, Head, Refresh, Send, Sleep
from codex_api.transport._core.messages import Request, Response, public_url
from codex_api.transport.errors import CodexApiError, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api._logic.calling.dialing import Dialing
    from codex_api._logic.calling.operation import Operation
    from codex_api._logic.calling.policy import CallSettings
    from codex_api._sync.authorizer import Authorizer
    from codex_api.telemetry import CallObserver, CallStart, StreamObserver
    from codex_api.transport.network import Network
    from codex_api.transport.protocols import (
        InterruptibleTransport,
        StreamResponse,
        Transport,
    )
    from codex_api.transport.websocket import WebSocket

    Begun: TypeAlias = Callable[[Callable[[], None]], None]

T = TypeVar("T")


class Runner:
    """Runs the calls of one client."""

    def __init__(self, transport: Transport, auth: Authorizer, settings: CallSettings) -> None:
        self.transport = transport
        self.auth = auth
        self.settings = settings

    def run(self, operation: Operation[T]) -> T:
        """Make a unary call and decode its answer.

        Raises:
            CodexApiError: The mapped failure.
        """
        settings = self.settings
        settings.check_open()
        if settings.telemetry is None:
            return self._call(operation)
        start = call_start(operation.name, operation.request)
        return self.watched(start, lambda observer: self._call(operation, observer))

    def watched(self, start: CallStart, act: Callable[[CallObserver | None], T]) -> T:
        """Do what is one call to whoever watches, whatever requests it takes.

        Args:
            act: Does it, and lets the observer hear of its attempts.

        Raises:
            CodexApiError: As ``act``.
        """
        watch = watch_call(self.settings.telemetry, start)
        if watch is None:
            return act(None)
        try:
            result = act(watch.observer)
        except BaseException as exc:
            watch.failed(exc)
            raise
        watch.answered(result)
        return result

    def _call(self, operation: Operation[T], observer: CallObserver | None = None) -> T:
        policy = self.settings.unary_policy(operation.timeout, operation.accept, observer)
        flow = flows.call(operation.request, policy)
        try:
            answer = _Performer(self).drive(flow)
        except CodexApiError as exc:
            self.settings.raise_mapped(exc)
        if self.settings.on_answer is not None:
            self.settings.on_answer(answer)
        try:
            return operation.decode(answer)
        except CodexApiError as exc:
            exc.sent, exc.attempts = "begun", answer.attempts
            raise

    def open(
        self,
        request: Request,
        started_at: float,
        observer: StreamObserver | None = None,
        *,
        begun: Begun,
        asks_once: bool = False,
    ) -> tuple[StreamResponse, int]:
        """Make a call up to the head of its streamed answer, reported to ``observer``.

        Args:
            begun: Called in each attempt with what closes its connection, before anything is sent;
                by transports that can be interrupted.
            asks_once: Whether a failed attempt is not made again.

        Returns:
            The answer, and how often the request was sent until it came.

        Raises:
            CodexApiError: The mapped failure.
        """
        performer = _Performer(self, begun)
        policy = self.settings.stream_policy(started_at, observer, asks_once=asks_once)
        try:
            head = performer.drive(flows.open_stream(request, policy))
        except CodexApiError as exc:
            self.settings.raise_mapped(exc)
        assert performer.opened is not None  # noqa: S101 - what open_stream ends with
        return performer.opened, head.attempts

    def connect(
        self, dialing: Dialing, network: Network, observer: CallObserver | None = None
    ) -> WebSocket:
        """Open a WebSocket: signed, and with credentials renewed once, as any request is.

        Args:
            observer: Hears of the handshakes.

        Raises:
            CodexApiError: The failure as it is, so that its status can be looked at; not mapped.
        """
        performer = _Dialer(self, dialing, network)
        policy = self.settings.dialing_policy(observer)
        try:
            performer.drive(flows.open_stream(dialing.request, policy))
        except CodexApiError as exc:
            told = type(exc).__name__ if exc.status is None else f"status {exc.status}"
            CONNECTION.debug("no WebSocket: %s: %s", public_url(dialing.request.url), told)
            raise
        assert performer.socket is not None  # noqa: S101 - what open_stream ends with
        CONNECTION.debug("WebSocket open: %s", public_url(dialing.request.url))
        return performer.socket

    def drive(self, flow: Flow[T]) -> T:
        """Perform a flow to its end.

        Raises:
            CodexApiError: The mapped failure.
        """
        try:
            return _Performer(self).drive(flow)
        except CodexApiError as exc:
            self.settings.raise_mapped(exc)


class _Performer:
    """One flow's run, and the stream that it opened."""

    __slots__ = ("_begun", "_generation", "_runner", "opened")

    def __init__(self, runner: Runner, begun: Begun | None = None) -> None:
        self._runner = runner
        self._begun = begun
        self._generation = 0
        self.opened: StreamResponse | None = None

    def drive(self, flow: Flow[T]) -> T:
        """Perform a flow to its end; what it opened is closed unless it ends well."""
        runner = self._runner
        transport, auth = runner.transport, runner.auth
        result: object = None
        failure: CodexApiError | None = None
        try:
            while True:
                try:
                    effect = flow.throw(failure) if failure is not None else flow.send(result)
                except StopIteration as stop:
                    answer: T = stop.value
                    return answer
                try:
                    # What each call does goes without a coroutine more.
                    if isinstance(effect, Authorize):
                        self._generation = auth.generation
                        result = auth.apply(effect.request)
                        if not isinstance(result, Request):
                            result = auth.signed(result)
                    elif not isinstance(effect, Send):
                        result = self._perform(effect)
                    elif effect.stream:
                        result = self._open(effect.request, effect.timeout)
                    else:
                        result = transport.execute(effect.request, effect.timeout)
                    failure = None
                except CodexApiError as exc:
                    failure = exc
        except BaseException:
            flow.close()
            self._drop()
            raise

    def _perform(self, effect: Sleep | Refresh) -> object:
        runner = self._runner
        match effect:
            case Sleep(delay):
                runner.settings.clock.sleep(delay)
                return None
            case Refresh():
                return runner.auth.refresh(self._generation)
            case _:
                assert_never(effect)

    def _open(self, request: Request, timeout: float | None) -> Head | Response:
        ends_at = None if timeout is None else self._runner.settings.clock.monotonic() + timeout
        transport = self._runner.transport
        # Asked by name: an abstract class is asked slowly, and this is asked for every stream.
        interruptible: InterruptibleTransport | None
        interruptible = transport if hasattr(transport, "interruptible_stream") else None  # type: ignore[assignment]
        if interruptible is None or self._begun is None:
            stream = transport.stream(request, timeout)
        else:
            stream = interruptible.interruptible_stream(request, timeout, self._begun)
        if 200 <= stream.status <= 299:  # noqa: PLR2004 - success
            self.opened = stream
            return Head(stream.status, stream.headers)
        try:
            return Response(stream.status, stream.headers, self._error_body(stream, ends_at))
        finally:
            stream.close()

    def _error_body(self, stream: StreamResponse, ends_at: float | None) -> bytes:
        monotonic = self._runner.settings.clock.monotonic
        latest = monotonic() + ERROR_BODY_TIMEOUT
        deadline = latest if ends_at is None else min(latest, ends_at)
        waiter = Waiter(monotonic)
        body = b""
        try:
            while len(body) < MAX_ERROR_BODY_BYTES:
                chunk = waiter.read(stream, deadline)
                if chunk is None:
                    break
                body += chunk
        except TransportError:
            pass  # the status counts; what came of the body is kept
        finally:
            waiter.stop()
        return body[:MAX_ERROR_BODY_BYTES]

    def _drop(self) -> None:
        if self.opened is not None:
            self.opened.close()


class _Dialer(_Performer):
    """A flow's run that opens a WebSocket where others send a request."""

    __slots__ = ("_dialing", "_network", "socket")

    def __init__(self, runner: Runner, dialing: Dialing, network: Network) -> None:
        super().__init__(runner)
        self._dialing = dialing
        self._network = network
        self.socket: WebSocket | None = None

    def _open(self, request: Request, timeout: float | None) -> Head | Response:
        from codex_api.transport.protocols import WebSocketOpener  # noqa: PLC0415 - as below
        from codex_api.transport.websocket import connect  # noqa: PLC0415 - only where it is used

        del timeout  # a handshake has the limit of all connecting
        dialing = self._dialing
        transport = self._runner.transport
        opener = transport if isinstance(transport, WebSocketOpener) else None
        open_socket = connect if opener is None else opener.connect_websocket
        self.socket = open_socket(
            request.url,
            dialing.in_order(request.headers),
            network=self._network,
            deflate=dialing.deflate,
            connect_timeout=self._runner.settings.context.timeouts.connect,
            max_message_bytes=dialing.max_message_bytes,
        )
        return Head(self.socket.status, self.socket.headers)

    def _drop(self) -> None:
        if self.socket is not None:
            self.socket.abort()
