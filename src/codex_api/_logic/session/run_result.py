"""What a run of tools tells: while it goes on, and as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypeVar, assert_never

import msgspec

from codex_api._logic.incoming.collect import CollectedResponse
from codex_api.errors import DecodeError
from codex_api.events import ResponseEvent
from codex_api.types.call_item import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellCall,
    ToolSearchCall,
    ToolSearchOutput,
)
from codex_api.types.hosted_item import (
    ApplyPatchCall,
    ApplyPatchCallOutput,
    ComputerCall,
    ComputerCallOutput,
    LocalShellCallOutput,
    McpApprovalRequest,
    McpApprovalResponse,
    ShellCall,
    ShellCallOutput,
)
from codex_api.types.hosted_parts import ShellOutput
from codex_api.types.item import ResponseItem
from codex_api.types.usage import TokenUsage

T = TypeVar("T")

RunEnd: TypeAlias = Literal[
    "completed", "incomplete", "max_turns", "max_calls", "open_calls", "tool_failed"
]


#: What a model may ask of a run.
ToolCall: TypeAlias = (
    FunctionCall
    | CustomToolCall
    | LocalShellCall
    | ShellCall
    | ApplyPatchCall
    | ComputerCall
    | ToolSearchCall
    | McpApprovalRequest
)
#: What goes back to it.
ToolOutput: TypeAlias = (
    FunctionCallOutput
    | CustomToolCallOutput
    | LocalShellCallOutput
    | ShellCallOutput
    | ApplyPatchCallOutput
    | ComputerCallOutput
    | ToolSearchOutput
    | McpApprovalResponse
)


class ToolAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """A tool was called in a run, and this is what the model is told.

    Attributes:
        call: What the model asked for.
        output: What goes back to it; None where it failed and no item can say so.
        error: Why the tool did not do it; None when it did.
    """

    call: ToolCall
    output: ToolOutput | None
    error: Exception | None = None

    @property
    def name(self) -> str:
        """Name of the function or tool; of built-in ones the wire type, such as ``shell_call``."""
        return getattr(self.call, "name", None) or self.call.type

    @property
    def text(self) -> str:
        """What goes back as text, as far as it is text."""
        match self.output:
            case FunctionCallOutput() | CustomToolCallOutput():
                return self.output.text or ""
            case LocalShellCallOutput() | ApplyPatchCallOutput():
                return self.output.output or ""
            case ShellCallOutput(output=outputs):
                told = (
                    text
                    for each in outputs
                    if isinstance(each, ShellOutput)
                    for text in (each.stdout, each.stderr)
                )
                return "\n".join(text for text in told if text)
            case McpApprovalResponse(approve=approve, reason=reason):
                return reason or ("approved" if approve else "denied")
            case ComputerCallOutput() | ToolSearchOutput() | None:
                return ""
            case _:
                assert_never(self.output)


#: What ``on_event`` of a run is given.
RunEvent: TypeAlias = ResponseEvent | ToolAnswered


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run.

    Attributes:
        ended: Why it ended. ``completed``: the model asked for nothing more. ``incomplete``: the
            last response was not whole. ``max_turns`` and ``max_calls``: a limit came before the
            end. ``open_calls``: the model asks for what no function or handler of the run does.
            ``tool_failed``: a tool failed, and that was to be the end or could not be told. None
            while the run goes on, and where an error ended it.
        items: All that came after the request's input, in order: what the model said and asked for,
            and what the tools gave back. The input and these are the history to go on with.
        responses: Each response.
        answers: Each call of a tool, in the order in which the model asked.
        open_calls: Items that ask for something and have no answer yet; add theirs to go on.
        usage: The sum over all responses; None when no server told any.
        turns: How many responses were asked for and came to their end.
        error: What a tool failed with, where that ended the run.
    """

    ended: RunEnd | None = None
    items: Sequence[ResponseItem] = ()
    responses: Sequence[CollectedResponse] = ()
    answers: Sequence[ToolAnswered] = ()
    open_calls: Sequence[ResponseItem] = ()
    usage: TokenUsage | None = None
    turns: int = 0
    error: Exception | None = None

    @property
    def text(self) -> str:
        """What the model said last, without the commentary before it."""
        return self.responses[-1].text_final if self.responses else ""

    def parse(self, type_: type[T]) -> T:
        """Decode what the model said last as JSON of ``type_``.

        Raises:
            ResponseIncompleteError: The last response was cut off.
            DecodeError: There is no response, or its text does not fit.
        """
        if not self.responses:
            message = "the run has no response to parse"
            raise DecodeError(message)
        return self.responses[-1].parse(type_)
