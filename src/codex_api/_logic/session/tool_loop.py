"""A run: the model is asked, its calls are answered, and it is asked again.

``ToolLoop`` decides what the next request holds and when it is enough, and performs nothing.
``RunTools`` knows who answers a call, ``call_outputs`` what goes back for it; the fronts stream
and call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import msgspec

from codex_api._logic.session.call_outputs import UNTELLABLE, answer_of, failure_of
from codex_api._logic.session.failed import Failed
from codex_api._logic.session.run_result import RunEnd, RunResult, ToolAnswered, ToolOutput
from codex_api._logic.session.run_tools import AnyTool, CallHandlers, Job, RunTools, as_tool
from codex_api.tools import AllowedTools
from codex_api.transport.errors import RequestBuildError
from codex_api.types.call_item import ToolSearchCall
from codex_api.types.function_tool import ToolError
from codex_api.types.item import Message, ResponseItem

if TYPE_CHECKING:
    from codex_api._logic.incoming.collect import CollectedResponse
    from codex_api.types.request import ResponsesApiRequest
    from codex_api.types.usage import TokenUsage

ToolErrors: TypeAlias = Literal["tell", "end"]

# Items that ask somebody for something; a server that does it itself puts the output behind them.
_ASKING = frozenset(
    {
        "apply_patch_call",
        "computer_call",
        "custom_tool_call",
        "function_call",
        "local_shell_call",
        "mcp_approval_request",
        "shell_call",
        "tool_search_call",
    }
)
# What a call is told with, and is no part of it.
_OWN = frozenset({"id", "status"})
_MOST_AT_ONCE = 16


class RunLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run may go.

    Attributes:
        max_turns: Responses at most.
        max_calls: Calls of tools at most; None for no limit.
        parallel: Whether calls of one response are made at once, up to 16, or how many.
        tool_errors: ``tell`` lets the model know that a tool failed; ``end`` ends the run.

    Raises:
        RequestBuildError: A limit is not above 0, or ``tool_errors`` none of the two.
    """

    max_turns: int = 10
    max_calls: int | None = None
    parallel: bool | int = True
    tool_errors: ToolErrors = "tell"

    def __post_init__(self) -> None:
        for name in ("max_turns", "max_calls"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or value < 1):
                message = f"`{name}` must be a number above 0, got {value!r}"
                raise RequestBuildError(message)
        if self.parallel is not False and self.parallel < 1:
            message = f"`parallel` must be true, false or a number above 0, got {self.parallel!r}"
            raise RequestBuildError(message)
        if self.tool_errors not in {"tell", "end"}:
            message = f"`tool_errors` must be tell or end, got {self.tool_errors!r}"
            raise RequestBuildError(message)

    @property
    def at_once(self) -> int:
        """How many calls are made at the same time."""
        if self.parallel is True:
            return _MOST_AT_ONCE
        return int(self.parallel) or 1


class ToolLoop:
    """One run.

    Args:
        request: What to ask first.
        tools: Added to those of the request. A callable is a ``FunctionTool.from_callable``.
        handlers: Who answers calls that no function answers.
        limits: How far it may go.
        is_async: Whether ``async`` functions can be awaited.

    Attributes:
        request: What to ask next.
        ended: Why there is no next one, or None.

    Raises:
        RequestBuildError: A callable cannot be described, or two functions have one name.
        TypeError: Something is no tool or no handler, or ``async`` where nothing can be awaited.
    """

    def __init__(
        self,
        request: ResponsesApiRequest,
        tools: Sequence[AnyTool],
        handlers: CallHandlers,
        limits: RunLimits,
        *,
        is_async: bool,
    ) -> None:
        made = [as_tool(tool) for tool in tools]
        declared = [*(request.tools or ()), *made]
        self._tools = RunTools(declared, handlers, is_async=is_async)
        self._limits = limits
        self.request: ResponsesApiRequest = request.replace(tools=declared) if made else request
        self.ended: RunEnd | None = None
        self._base: list[Any] = _as_items(request.input)
        self._items: list[ResponseItem] = []
        self._responses: list[CollectedResponse] = []
        self._answers: list[ToolAnswered] = []
        self._jobs: list[Job] = []
        self._made: dict[int, ToolAnswered] = {}
        self._open: list[ResponseItem] = []
        self._error: Exception | None = None

    @property
    def at_once(self) -> int:
        """How many calls are made at the same time."""
        return self._limits.at_once

    def answered(self, response: CollectedResponse) -> list[Job]:
        """Take a response that came to its end, and return the calls to make.

        ``go_on`` follows once they are made, and ``ended`` tells whether anything more is asked.
        """
        self._responses.append(response)
        self._items += response.items
        asking = _asking(response.items)
        self._open = asking
        if response.incomplete_reason is not None or any(map(_is_cut, asking)):
            self.ended = "incomplete"
            return []
        if not asking and response.end_turn is not False:
            self.ended = "completed"
            return []
        if len(self._responses) >= self._limits.max_turns:
            self.ended = "max_turns"
            return []
        jobs = [job for item in asking if (job := self._tools.job(item)) is not None]
        most = self._limits.max_calls
        if most is not None and len(self._answers) + len(jobs) > most:
            self.ended = "max_calls"
            return []
        self._jobs = jobs
        return jobs

    def made(self, index: int, outcome: object) -> ToolAnswered:
        """Take what came of the job at ``index``: what the function gave, or a ``Failed``.

        Where a failure ends the run, ``ended`` says so from here on. It does when ``tool_errors``
        says so, and when no item can tell the model of it.
        """
        call = self._jobs[index].call
        error = told = outcome.error if isinstance(outcome, Failed) else None
        output: ToolOutput | None = None
        if error is None:
            try:
                output = answer_of(call, outcome)
            except Exception as exc:  # noqa: BLE001 - whatever an encoder meets
                # The model must not take what was done for undone.
                error, told = exc, ToolError(UNTELLABLE)
        if told is not None:
            output = failure_of(call, told)
        answer = ToolAnswered(call=call, output=output, error=error)
        self._made[index] = answer
        if error is not None and (output is None or self._limits.tool_errors == "end"):
            self.ended, self._error = "tool_failed", error
        return answer

    def go_on(self) -> None:
        """Put what the tools gave into the next request, unless the run has ended."""
        outputs = self._settle()
        if self.ended is not None:
            return
        if self._open:
            self.ended = "open_calls"
            return
        request = self.request
        history = [*self._base, *self._items]
        if request.conversation is not None:
            # The conversation holds what was asked and answered before.
            history = _outputs(outputs)
        self.request = request.replace(input=history, tool_choice=_released(request.tool_choice))

    def result(self) -> RunResult:
        """Return what there is so far."""
        made = [self._made[index] for index in sorted(self._made)]
        answers = [*self._answers, *made]
        done = _answered(made)
        usage: TokenUsage | None = None
        for response in self._responses:
            if response.usage is not None:
                usage = response.usage if usage is None else usage + response.usage
        return RunResult(
            ended=self.ended,
            items=[*self._items, *_outputs(made)],
            responses=list(self._responses),
            answers=answers,
            open_calls=[item for item in self._open if id(item) not in done],
            usage=usage,
            turns=len(self._responses),
            error=self._error,
        )

    def _settle(self) -> list[ToolAnswered]:
        outputs = [self._made[index] for index in sorted(self._made)]
        done = _answered(outputs)
        self._answers += outputs
        self._items += _outputs(outputs)
        self._open = [item for item in self._open if id(item) not in done]
        self._jobs, self._made = [], {}
        return outputs


def _as_items(given: Sequence[Any] | str) -> list[Any]:
    return [Message.user(given)] if isinstance(given, str) else list(given)


def _asking(items: Sequence[ResponseItem]) -> list[ResponseItem]:
    """Return the items that ask for something which the server did not do itself.

    A call that is told again, under its own id, is asked for once.
    """
    done = {_call_id(item) for item in items if item.type.endswith("_output")}
    asking: list[ResponseItem] = []
    for item in items:
        if (
            item.type not in _ASKING
            or (isinstance(item, ToolSearchCall) and item.execution == "server")
            or (_call_id(item) is not None and _call_id(item) in done)
            or any(_is_same_call(item, each) for each in asking)
        ):
            continue
        asking.append(item)
    return asking


def _is_same_call(one: ResponseItem, other: ResponseItem) -> bool:
    if _call_id(one) is None or _call_id(one) != _call_id(other) or type(one) is not type(other):
        return False
    names = [field.name for field in msgspec.structs.fields(one) if field.name not in _OWN]
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _is_cut(item: ResponseItem) -> bool:
    """Return whether a call is not whole; half a script may be one, too."""
    return getattr(item, "status", None) == "incomplete"


def _answered(answers: Sequence[ToolAnswered]) -> set[int]:
    """Return which items have their answer: not all of them have an id that tells them apart."""
    return {id(answer.call) for answer in answers if answer.output is not None}


def _outputs(answers: Sequence[ToolAnswered]) -> list[ResponseItem]:
    return [answer.output for answer in answers if answer.output is not None]


def _call_id(item: ResponseItem) -> str | None:
    return getattr(item, "call_id", None)


def _released(choice: Any) -> Any:  # noqa: ANN401 - a choice of tools
    """Return the choice for later responses: one that forces a call would never end."""
    if isinstance(choice, AllowedTools):
        return msgspec.structs.replace(choice, mode="auto")
    if isinstance(choice, Mapping):
        named = cast("Mapping[str, Any]", choice)
        return {**named, "mode": "auto"} if named.get("type") == "allowed_tools" else "auto"
    return "auto" if choice == "required" else choice
