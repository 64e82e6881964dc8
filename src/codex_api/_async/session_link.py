"""The connections of a session under asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from codex_api._async.response_stream import AsyncResponseStream
from codex_api._async.websocket import connect_responses
from codex_api._logic.calling.reading import CLOSED
from codex_api._logic.calling.resume import resume_call
from codex_api._logic.endpoints import conversations
from codex_api._logic.endpoints.responses import stream_call
from codex_api._logic.session.effects import (
    Announce,
    BeginConversation,
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
from codex_api.transport.errors import ClientStateError, CodexApiError

if TYPE_CHECKING:
    from codex_api._async.runner import Runner
    from codex_api._async.websocket import AsyncResponsesWebSocket, AsyncWebSocketResponseStream
    from codex_api._logic.session.effects import Deed, Effect, Steps
    from codex_api._logic.session.plan import RequestPlan
    from codex_api._logic.session.progress import Progress
    from codex_api.events import ResponseEvent
    from codex_api.transport.network import Network

_BUSY = "a session carries one response at a time: finish or close the last one first"


class Link:
    """The connections of one session; performs what exchanges ask for."""

    def __init__(self, runner: Runner, network: Network, session: SessionPlan) -> None:
        self._runner = runner
        self._network = network
        self._session = session
        self._socket: AsyncResponsesWebSocket | None = None
        self._generation = 0
        self._plan: RequestPlan | None = None
        self._steps: Steps | None = None
        self._relayed: Progress | None = None
        self._is_stopped = False
        self.current: AsyncResponseStream | AsyncWebSocketResponseStream | None = None

    def begin(self, plan: RequestPlan, steps: Steps) -> None:
        """Begin an exchange; ``next_events`` performs it.

        Raises:
            ClientStateError: Another one goes on.
        """
        if self._plan is not None:
            raise ClientStateError(_BUSY)
        self._plan, self._steps, self._is_stopped = plan, steps, False

    async def next_events(self) -> list[ResponseEvent] | None:
        """Perform the exchange up to the next events; None is its end.

        Raises:
            CodexApiError: The failure that nothing more can be done about.
        """
        plan, steps = self._plan, self._steps
        if plan is None or steps is None:  # ended since its reader looked
            raise ClientStateError(CLOSED)
        result: object = None
        failure: CodexApiError | None = None
        while True:
            try:
                if (events := await self._relay()) is not None:
                    return events
            except CodexApiError as exc:
                failure = exc
            if self._is_stopped and not plan.progress.completed:
                raise ClientStateError(CLOSED)
            effect = _step(steps, result, failure)
            result = failure = None
            match effect:
                case None:
                    return None
                case Announce(event):
                    return [event]
                case Relay(progress):
                    self._relayed = progress
                case _:
                    try:
                        result = await self._perform(plan, effect)
                    except CodexApiError as exc:
                        failure = exc

    async def _relay(self) -> list[ResponseEvent] | None:
        """Wait for events of the response that is relayed, if any; None when there are none."""
        progress = self._relayed
        if progress is None:
            return None
        stream = self._begun()
        events: list[ResponseEvent] | None = None
        try:
            events = await stream.next_events()
            for event in events or ():
                progress.observe(event)
        finally:
            progress.last_sequence = stream.last_sequence_number
            if self._plan is not None and self._plan.keeps_raw:
                self._plan.raws += stream._take_raw()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a part of it
            if events is None:
                self._relayed = None
                await stream.close()
        return events

    def keep_raw(self, plan: RequestPlan) -> None:
        """Keep what the answer that is being read sends from now on, if there is one."""
        if plan.answer is not None and self.current is not None:
            self.current._keep_raw()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a part of it

    def end(self, plan: RequestPlan) -> None:
        """Make room for the next exchange. Only who performs this one may call it."""
        if self._plan is plan and self._steps is not None:
            self._steps.close()
            self._plan = self._steps = self._relayed = None

    async def stop(self, plan: RequestPlan | None = None) -> None:
        """End the exchange of ``plan``, or any, at its next step or the next event."""
        if plan is not None and plan is not self._plan:
            return
        self._is_stopped = True
        if self.current is not None:
            await self.current.close()

    async def close(self) -> None:
        """Drop what is open."""
        await self.stop()
        await self._drop()

    def _begun(self) -> AsyncResponseStream | AsyncWebSocketResponseStream:
        assert self.current is not None  # noqa: S101 - an exchange asks for a response first
        return self.current

    async def _perform(self, plan: RequestPlan, effect: Deed) -> object:
        match effect:
            case CheckSocket():
                return self._socket is not None and self._socket.is_usable
            case Identify():
                return owner_of(self._runner.auth.auth)
            case Renew() | BeginConversation():
                return await self._call(effect)
            case OpenSocket():
                return await self._open()
            case DropSocket():
                await self._drop()
            case SendFrame():
                await self._send(plan, effect)
            case PostRequest():
                await self._post(plan, effect)
            case Resume(response_id, starting_after):
                await self._resume(plan, response_id, starting_after)
            case Pause(delay):
                await self._session.calls.clock.sleep_async(delay)
            case _:
                assert_never(effect)
        return None

    async def _call(self, effect: Renew | BeginConversation) -> object:
        if isinstance(effect, Renew):
            return await self._runner.auth.refresh(self._generation)
        begun = await self._runner.run(conversations.create(self._session.calls.context))
        return begun.id

    async def _open(self) -> str | None:
        await self._drop()
        options = self._session.options
        self._socket = await connect_responses(self._runner, self._network, options)
        self._generation = self._runner.auth.generation
        if self._is_stopped:  # while it was being opened
            await self._drop()
            raise ClientStateError(CLOSED)
        return self._socket.turn_state

    async def _drop(self) -> None:
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    async def _send(self, plan: RequestPlan, effect: SendFrame) -> None:
        assert self._socket is not None  # noqa: S101 - an exchange checks or opens it first
        options = plan.options(effect.cell)
        await self._begin(plan, self._socket.stream_frame(plan.frame(effect), options))

    async def _post(self, plan: RequestPlan, effect: PostRequest) -> None:
        calls = self._session.calls
        request = plan.forms.posted(effect.kept, effect.instead)
        call = stream_call(calls.context, request, plan.options(effect.cell), calls.telemetry)
        # One budget for a question: what fails is counted and made again by the exchange.
        await self._begin(plan, AsyncResponseStream(self._runner, replace(call, asks_once=True)))

    async def _resume(self, plan: RequestPlan, response_id: str, starting_after: int) -> None:
        calls = self._session.calls
        call = resume_call(
            calls.context, response_id, starting_after, plan.options(), calls.telemetry
        )
        await self._begin(plan, AsyncResponseStream(self._runner, replace(call, asks_once=True)))

    async def _begin(
        self, plan: RequestPlan, stream: AsyncResponseStream | AsyncWebSocketResponseStream
    ) -> None:
        plan.answer = None
        self.current = stream
        await stream.__aenter__()
        plan.answer = stream
        if plan.keeps_raw:
            self.keep_raw(plan)


def _step(steps: Steps, result: object, failure: CodexApiError | None) -> Effect | None:
    """Send an exchange the result of its last effect, and return the next; None at its end."""
    try:
        return steps.send(result) if failure is None else steps.throw(failure)
    except StopIteration:
        return None
