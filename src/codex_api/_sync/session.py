# Generated from src/codex_api/_async/session.py by tools/generate_sync.py; do not edit.
"""A session in blocking code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from codex_api._logic.calling.resume import resume_call
from codex_api._logic.calling.stream_call import CLOSED, NOT_OPEN, OVER
from codex_api._logic.incoming.collect import Collector
from codex_api._logic.session.answer_facts import AnswerFacts
from codex_api._logic.session.effects import (
    Announce,
    CheckSocket,
    DropSocket,
    Identify,
    OpenSocket,
    Pause,
    PostRequest,
    Relay,
    Renew,
    Resume,
    SendFrame,
)
from codex_api._logic.session.plan import SessionPlan, owner_of
from codex_api._sync.response_stream import ResponseStream
from codex_api._sync.responses import Responses
from codex_api._sync.waits import BUSY_GENERATOR
from codex_api._sync.websocket import connect_responses
from codex_api.transport.errors import ClientStateError, CodexApiError

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from codex_api._logic.incoming.collect import CollectedResponse
    from codex_api._logic.session.effects import Effect, Steps
    from codex_api._logic.session.plan import RequestPlan
    from codex_api._logic.session.settings import SessionSettings
    from codex_api._logic.session.transport_choice import TransportName
    from codex_api._sync.runner import Runner
    from codex_api._sync.websocket import ResponsesWebSocket, WebSocketResponseStream
    from codex_api.events import ResponseEvent
    from codex_api.transport.network import Network
    from codex_api.types.request import ResponsesApiRequest, ResponsesOptions

_BUSY = "a session carries one response at a time: finish or close the last one first"


class ResponsesSession:
    """A conversation: response after response, over what transport works best.

    One warm WebSocket is kept where the server offers it, else HTTP is used; only input that the
    server does not hold yet is sent; responses that break off are asked for again. Use it from one
    thread at a time, and close it, or use it in a ``with`` block.
    """

    def __init__(
        self,
        runner: Runner,
        network: Network,
        settings: SessionSettings,
        options: ResponsesOptions,
    ) -> None:
        self._plan = SessionPlan(runner.settings, settings, options)
        self._link = Link(runner, network, self._plan)

    @property
    def transport(self) -> TransportName:
        """What the next request goes over, as far as is known now."""
        return self._plan.transport

    def stream(
        self, request: ResponsesApiRequest, *, new_turn: bool | None = None
    ) -> SessionStream:
        """Prepare a response; the first event that is asked for sends the request.

        Args:
            request: With its whole input; what the server holds already is not sent again.
            new_turn: Whether a new turn begins; None lets it begin unless the input ends with the
                output of a tool.

        Raises:
            RequestBuildError: The request cannot be encoded.
        """
        return SessionStream(self._link, self._plan.plan(request, new_turn=new_turn))

    def prewarm(self, request: ResponsesApiRequest) -> bool:
        """Open the WebSocket and let the server prepare for requests like this one.

        Nothing is raised for a failure: the request itself then finds its own way.

        Args:
            request: With the input that is known already, which may be empty.

        Returns:
            Whether the next request finds a warm connection.

        Raises:
            RequestBuildError: The request cannot be encoded.
        """
        plan = self._plan.plan(request, new_turn=True, generate=False)
        for _ in self._link.drive(plan, plan.prewarm()):
            pass
        return plan.progress.completed

    def close(self) -> None:
        """Drop the connection. May be called twice; a later request would open a new one."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Link:
    """The connections of one session; performs what exchanges ask for."""

    def __init__(self, runner: Runner, network: Network, session: SessionPlan) -> None:
        self._runner = runner
        self._network = network
        self._session = session
        self._responses = Responses(runner, network)
        self._socket: ResponsesWebSocket | None = None
        self._generation = 0
        self._busy = False
        self._is_stopped = False
        self.current: ResponseStream | WebSocketResponseStream | None = None

    def drive(self, plan: RequestPlan, steps: Steps) -> Generator[ResponseEvent, None, None]:
        """Perform an exchange and give the events that come of it.

        Raises:
            CodexApiError: The failure that nothing more can be done about.
        """
        if self._busy:
            raise ClientStateError(_BUSY)
        self._busy, self._is_stopped = True, False
        result: object = None
        failure: CodexApiError | None = None
        try:
            while True:
                if self._is_stopped:
                    raise ClientStateError(CLOSED)
                try:
                    effect = steps.throw(failure) if failure is not None else steps.send(result)
                except StopIteration:
                    return
                result = failure = None
                try:
                    if isinstance(effect, Relay):
                        # In here, since closing a generator does not close the one it reads.
                        stream, progress = self._begun(), effect.progress
                        observe = progress.observe
                        try:
                            for event in stream:
                                observe(event)
                                yield event
                        finally:
                            progress.last_sequence = stream.last_sequence_number
                            stream.close()
                    elif isinstance(effect, Announce):
                        yield effect.event
                    else:
                        result = self._perform(plan, effect)
                except CodexApiError as exc:
                    failure = exc
        finally:
            self._busy = False
            steps.close()

    def stop(self) -> None:
        """End the exchange that goes on elsewhere, at its next step or the next event."""
        self._is_stopped = True
        if self.current is not None:
            self.current.close()

    def close(self) -> None:
        """Drop what is open."""
        self.stop()
        self._drop()

    def _begun(self) -> ResponseStream | WebSocketResponseStream:
        assert self.current is not None  # noqa: S101 - an exchange asks for a response first
        return self.current

    def _perform(self, plan: RequestPlan, effect: Effect) -> object:
        match effect:
            case CheckSocket():
                return self._socket is not None and self._socket.is_usable
            case Identify():
                return owner_of(self._runner.auth.auth)
            case Renew():
                return self._runner.auth.refresh(self._generation)
            case _:
                self._act(plan, effect)
                return None

    def _act(self, plan: RequestPlan, effect: Effect) -> None:
        match effect:
            case OpenSocket():
                self._open()
            case DropSocket():
                self._drop()
            case SendFrame():
                self._send(plan, effect)
            case PostRequest(kept, cell):
                request, options = plan.forms.posted(kept), plan.options(cell)
                self._begin(plan, self._responses.stream(request, options))
            case Resume(response_id, starting_after):
                self._resume(plan, response_id, starting_after)
            case Pause(delay):
                self._session.calls.clock.sleep(delay)
            case _:  # answered by `_perform` and `drive`
                pass

    def _open(self) -> None:
        self._drop()
        options = self._session.options
        self._socket = connect_responses(self._runner, self._network, options)
        self._generation = self._runner.auth.generation

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, plan: RequestPlan, effect: SendFrame) -> None:
        assert self._socket is not None  # noqa: S101 - an exchange checks or opens it first
        options = plan.options(effect.cell)
        self._begin(plan, self._socket.stream_frame(plan.frame(effect), options))

    def _resume(self, plan: RequestPlan, response_id: str, starting_after: int) -> None:
        calls = self._session.calls
        call = resume_call(
            calls.context, response_id, starting_after, plan.options(), calls.telemetry
        )
        self._begin(plan, ResponseStream(self._runner, call))

    def _begin(self, plan: RequestPlan, stream: ResponseStream | WebSocketResponseStream) -> None:
        self.current = plan.answer = None
        stream.__enter__()
        self.current = plan.answer = stream


class SessionStream(AnswerFacts):
    """The events of one response of a session.

    Use it in a ``with`` block. A ``StreamRetry`` among the events says that the response is
    asked for again. Leaving before the end cancels the response.
    """

    def __init__(self, link: Link, plan: RequestPlan) -> None:
        super().__init__(plan)
        self._link = link
        self._events: Generator[ResponseEvent, None, None] | None = None
        self._is_closed = False

    def collect(self) -> CollectedResponse:
        """Read to the end and gather what came; outside a ``with`` block it opens and closes too.

        Raises:
            CodexApiError: The failure that ended the response; ``partial`` holds what came before.
        """
        if self._events is None:
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

    def close(self) -> None:
        """Stop here; unless the response is complete, that cancels it. May be called twice.

        A thread that reads gets a ``ClientStateError``.
        """
        if not self._is_closed and self._events is not None:
            self._is_closed = True
            try:
                self._events.close()
            except BUSY_GENERATOR:  # another thread reads it
                self._link.stop()

    def __enter__(self) -> Self:
        if self._events is not None:
            raise ClientStateError(OVER)
        self._events = self._link.drive(self._plan, self._plan.steps())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Generator[ResponseEvent, None, None]:
        if self._events is None:
            raise ClientStateError(NOT_OPEN)
        if self._is_closed:
            raise ClientStateError(CLOSED)
        return self._events

    def __next__(self) -> ResponseEvent:
        return next(iter(self))
