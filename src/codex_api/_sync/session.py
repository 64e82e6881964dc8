# Generated from src/codex_api/_async/session.py by tools/generate_sync.py; do not edit.
"""A session in blocking code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from codex_api._logic.outgoing.plain_values import as_request
from codex_api._logic.session.answer_facts import AnswerFacts
from codex_api._logic.session.plan import SessionPlan
from codex_api._logic.session.tool_loop import RunLimits, ToolLoop
from codex_api._sync.event_stream import EventStream
from codex_api._sync.session_link import Link
from codex_api._sync.tool_run import ToolRun
from codex_api._sync.waits import ASYNCHRONOUS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from codex_api._logic.session.plan import RequestPlan
    from codex_api._logic.session.run_result import RunEvent, RunResult
    from codex_api._logic.session.run_tools import AnyTool, CallHandlers
    from codex_api._logic.session.settings import SessionSettings
    from codex_api._logic.session.tool_loop import ToolErrors
    from codex_api._logic.session.transport_choice import TransportName
    from codex_api._sync.runner import Runner
    from codex_api.events import RawEvent, ResponseEvent
    from codex_api.transport.network import Network
    from codex_api.types.request import AnyRequest, ResponsesOptions


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
        self._loop: ToolLoop | None = None

    @property
    def transport(self) -> TransportName:
        """What the next request goes over, as far as is known now."""
        return self._plan.transport

    @property
    def conversation(self) -> str | None:
        """Id of the conversation that items are added to, once there is one; else None."""
        return self._plan.state.held.conversation

    def stream(self, request: AnyRequest, *, new_turn: bool | None = None) -> SessionStream:
        """Prepare a response; the first event that is asked for sends the request.

        Args:
            request: With its whole input; what the server holds already is not sent again.
            new_turn: Whether a new turn begins; None lets it begin unless the input ends with the
                output of a tool.

        Raises:
            RequestBuildError: The request cannot be encoded.
        """
        return SessionStream(self._link, self._plan.plan(request, new_turn=new_turn))

    def prewarm(self, request: AnyRequest) -> bool:
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
        self._link.begin(plan, plan.prewarm())
        try:
            while self._link.next_events() is not None:
                pass
        finally:
            self._link.end(plan)
        return plan.progress.completed

    def run(
        self,
        request: AnyRequest,
        *,
        tools: Sequence[AnyTool] = (),
        handlers: CallHandlers | None = None,
        max_turns: int = 10,
        max_calls: int | None = None,
        parallel: bool | int = True,
        on_event: Callable[[RunEvent], object] | None = None,
        tool_errors: ToolErrors = "tell",
    ) -> RunResult:
        """Ask, make the calls that the model asks for, and ask again, until it asks for none.

        Args:
            request: What to ask first. A choice that forces a call holds for the first response.
            tools: Added to those of the request: functions, which ``FunctionTool.from_callable``
                describes, ``CustomTool.from_callable``, and any other tools.
            handlers: Who answers calls that no function answers, by type: shells, patches,
                computers, approvals. Calls that nobody answers end the run.
            max_turns: Responses at most.
            max_calls: Calls of functions and handlers at most; None for no limit.
            parallel: Whether the calls of one response are made at once, up to 16, or how many;
                False makes them in turn. Functions that are not ``async`` are called in threads.
            on_event: Called with each event of each response and, as ``ToolAnswered``, of each
                call; may be ``async``. What it raises ends the run and is raised.
            tool_errors: ``tell`` gives the model the text of a ``ToolError``, or the class of any
                other exception, and goes on; ``end`` ends the run, as does a failure that no item
                can tell, such as one of a computer.

        Returns:
            What came of it, and why it ended.

        Raises:
            RequestBuildError: A limit is not legal, a function cannot be described, or a request
                cannot be encoded.
            TypeError: ``request`` is neither a request nor a mapping, or a tool or a handler is
                something else.
            CodexApiError: A response failed; what had come before is ``last_run``.
        """
        limits = RunLimits(
            max_turns=max_turns, max_calls=max_calls, parallel=parallel, tool_errors=tool_errors
        )
        loop = ToolLoop(as_request(request), tools, handlers or {}, limits, is_async=ASYNCHRONOUS)
        self._loop = loop
        ToolRun(self, loop, on_event).carry_out()
        return loop.result()

    @property
    def last_run(self) -> RunResult | None:
        """What the last run has come to, also when it was ended by an error; None before one."""
        return None if self._loop is None else self._loop.result()

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


class SessionStream(EventStream, AnswerFacts):
    """The events of one response of a session.

    Use it in a ``with`` block. A ``StreamRetry`` among the events says that the response is
    asked for again. Leaving before the end cancels the response.
    """

    def __init__(self, link: Link, plan: RequestPlan) -> None:
        EventStream.__init__(self)
        AnswerFacts.__init__(self, plan)
        self._link = link
        self._has_begun = False

    def _open(self) -> list[ResponseEvent]:
        return []  # the first event that is asked for sends the request

    def _more(self) -> list[ResponseEvent] | None:
        if not self._has_begun:
            self._link.begin(self._plan, self._plan.steps())
            self._has_begun = True
        return self._link.next_events()

    def _let_go(self, error: BaseException | None = None) -> None:
        del error
        self._link.stop(self._plan)

    def _keep_raw(self) -> None:
        self._plan.keeps_raw = True
        self._link.keep_raw(self._plan)

    def _take_raw(self) -> list[RawEvent]:
        taken, self._plan.raws = self._plan.raws, []
        return taken

    def _ended(self, error: BaseException | None = None) -> None:
        del error
        self._link.end(self._plan)

    @property
    def _is_complete(self) -> bool:
        return self._plan.progress.completed

    @property
    def _facts(self) -> AnswerFacts:
        return self
