"""What goes back to the model for a call: the item that holds what a function or handler gave.

A handler may give the item itself, or what the item is about: a text, a picture, a yes. Which of
them stands for what is decided here for each type of call.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, assert_never, cast

from msgspec import Raw, json, structs

from codex_api._logic.incoming.item_codec import decode_item
from codex_api._logic.outgoing.json_values import encode_json
from codex_api._logic.outgoing.surrogates import whole_text
from codex_api.types.call_item import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellCall,
    ToolSearchCall,
    ToolSearchOutput,
)
from codex_api.types.content import (
    ExtraFieldsError,
    InputAudio,
    InputImage,
    InputText,
    encode_unknown,
)
from codex_api.types.function_tool import ToolError
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
from codex_api.types.hosted_parts import ComputerScreenshot, Exit, ShellOutput
from codex_api.types.structured import is_pydantic

if TYPE_CHECKING:
    from codex_api._logic.session.run_result import ToolCall, ToolOutput

#: What the model is told where a tool did its work and gave what nobody can tell.
UNTELLABLE: Final = "the tool was called, and what it gave has no form that can be told"

_PARTS = (InputText, InputImage, InputAudio)
_OUTPUTS: Final[dict[type, type]] = {
    FunctionCall: FunctionCallOutput,
    CustomToolCall: CustomToolCallOutput,
    LocalShellCall: LocalShellCallOutput,
    ShellCall: ShellCallOutput,
    ApplyPatchCall: ApplyPatchCallOutput,
    ComputerCall: ComputerCallOutput,
    ToolSearchCall: ToolSearchOutput,
    McpApprovalRequest: McpApprovalResponse,
}


def answer_of(call: ToolCall, value: Any) -> ToolOutput:  # noqa: ANN401 - whatever was given
    """Return the item that tells the model what came of ``call``.

    Args:
        value: What the function or the handler gave.

    Raises:
        TypeError, ValueError, OverflowError, RecursionError: It stands for no such item, has no
            JSON form, or answers another call.
    """
    if isinstance(value, Mapping):
        given = cast("Mapping[str, Any]", value)
        value = decode_item(encode_json(given)) if given.get("type") == _tag_of(call) else given
    if isinstance(value, _OUTPUTS[type(call)]):
        return _ours(call, cast("ToolOutput", value))
    return _MADE[type(call)](call, value)


def failure_of(call: ToolCall, error: Exception) -> ToolOutput | None:
    """Return the item that tells the model that ``call`` failed; None where no item can say it."""
    told = told_of(error)
    match call:
        case FunctionCall() | CustomToolCall() | LocalShellCall():
            return answer_of(call, told)
        case ShellCall():
            return _shell(call, ShellOutput(stdout="", stderr=told, outcome=Exit(1)))
        case ApplyPatchCall():
            return _patched(call, told, "failed")
        case McpApprovalRequest():
            return call.denied(reason=told)
        case ComputerCall() | ToolSearchCall():
            return None
        case _:
            assert_never(call)


def output_of(value: Any) -> object:  # noqa: ANN401 - whatever a function gave
    """Return what a function gave as the output of its call.

    Returns:
        A text as it is; parts of content as they are; anything else as JSON.

    Raises:
        TypeError, ValueError, OverflowError, RecursionError: It has no JSON form.
    """
    if isinstance(value, str):
        return whole_text(value)
    parts = _parts_of([value] if isinstance(value, _PARTS) else value)
    return _encoded(value) if parts is None else parts


def told_of(error: Exception) -> str:
    """Return what the model is told of a failure.

    The words of a ``ToolError`` are meant for it; those of other errors may hold anything.
    """
    if isinstance(error, ToolError):
        return whole_text(f"Error: {error}")
    return f"Error: the tool failed ({type(error).__name__})"


def _parts_of(value: object) -> list[object] | None:
    if not isinstance(value, list | tuple):
        return None
    parts = cast("Sequence[object]", value)
    if not parts or not all(isinstance(part, _PARTS) for part in parts):
        return None
    return [
        structs.replace(part, text=whole_text(part.text)) if isinstance(part, InputText) else part
        for part in parts
    ]


def _encoded(value: object) -> str:
    try:
        return _ENCODER.encode(value).decode()
    except ExtraFieldsError:
        return encode_json(value).decode()
    except UnicodeEncodeError:
        return _ENCODER.encode(_without_halves(value)).decode()


def _told_as(value: object) -> object:
    """Return what stands for a value that JSON does not know; an ``enc_hook``."""
    to_json: Callable[[], str] | None = getattr(value, "model_dump_json", None)
    if to_json is not None and is_pydantic(type(value)):
        return Raw(to_json().encode())
    return str(value) if isinstance(value, PurePath) else encode_unknown(value)


def _without_halves(value: object) -> object:
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_without_halves(each) for each in cast("Iterable[object]", value)]
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return {_without_halves(key): _without_halves(each) for key, each in mapping.items()}
    return value


def _tag_of(call: ToolCall) -> str:
    return str(_OUTPUTS[type(call)].__struct_config__.tag)  # type: ignore[attr-defined]  # structs


def _id_of(item: object) -> str | None:
    return getattr(item, "call_id", None) or getattr(item, "id", None)


def _ours(call: ToolCall, output: ToolOutput) -> ToolOutput:
    answered = (
        output.approval_request_id if isinstance(output, McpApprovalResponse) else _id_of(output)
    )
    if answered != _id_of(call):
        message = f"the {output.type} answers {answered!r}, and {_id_of(call)!r} was called"
        raise ValueError(message)
    return output


def _function(call: FunctionCall, value: object) -> FunctionCallOutput:
    output = cast("Any", output_of(value))
    return FunctionCallOutput(call_id=call.call_id, output=output, caller=call.caller)


def _custom(call: CustomToolCall, value: object) -> CustomToolCallOutput:
    output = cast("Any", output_of(value))
    return CustomToolCallOutput(call_id=call.call_id, output=output, caller=call.caller)


def _local_shell(call: LocalShellCall, value: object) -> LocalShellCallOutput:
    told = whole_text(value) if isinstance(value, str) else _encoded(value)
    # Servers want the id of the call under either name.
    return LocalShellCallOutput(id=_id_of(call), call_id=_id_of(call), output=told)


def _shell(call: ShellCall, value: object) -> ShellCallOutput:
    given = [value] if isinstance(value, str | ShellOutput) else _sequence(call, value)
    outputs = [
        ShellOutput(stdout=whole_text(each), stderr="", outcome=Exit(0))
        if isinstance(each, str)
        else structs.replace(each, stdout=whole_text(each.stdout), stderr=whole_text(each.stderr))
        for each in given
        if isinstance(each, str | ShellOutput)
    ]
    if len(outputs) < len(given):
        raise _unfit(call, value)
    return ShellCallOutput(
        call_id=call.call_id,
        output=outputs,
        max_output_length=call.action.max_output_length,
        caller=call.caller,
    )


def _patched(
    call: ApplyPatchCall, value: object, status: str = "completed"
) -> ApplyPatchCallOutput:
    if not (value is None or isinstance(value, str)):
        raise _unfit(call, value)
    told = None if value is None else whole_text(value)
    return ApplyPatchCallOutput(
        call_id=call.call_id, status=status, output=told, caller=call.caller
    )


def _screen(call: ComputerCall, value: object) -> ComputerCallOutput:
    if isinstance(value, bytes):
        value = f"data:image/png;base64,{base64.b64encode(value).decode()}"
    screen = ComputerScreenshot(image_url=value) if isinstance(value, str) else value
    if not isinstance(screen, ComputerScreenshot):
        raise _unfit(call, value)
    return ComputerCallOutput(call_id=call.call_id, output=screen)


def _found(call: ToolSearchCall, value: object) -> ToolSearchOutput:
    found = _sequence(call, value)
    return ToolSearchOutput(
        call_id=call.call_id, status="completed", execution=call.execution, tools=found
    )


def _approval(call: McpApprovalRequest, value: object) -> McpApprovalResponse:
    if not isinstance(value, bool):
        raise _unfit(call, value)
    return call.approved() if value else call.denied()


def _sequence(call: ToolCall, value: object) -> list[object]:
    if not isinstance(value, list | tuple):
        raise _unfit(call, value)
    return [*cast("Sequence[object]", value)]


def _unfit(call: ToolCall, value: object) -> TypeError:
    return TypeError(f"{value!r:.80} does not answer a {call.type}")


_ENCODER: Final = json.Encoder(enc_hook=_told_as)
_MADE: Final[dict[type, Callable[[Any, Any], ToolOutput]]] = {
    FunctionCall: _function,
    CustomToolCall: _custom,
    LocalShellCall: _local_shell,
    ShellCall: _shell,
    ApplyPatchCall: _patched,
    ComputerCall: _screen,
    ToolSearchCall: _found,
    McpApprovalRequest: _approval,
}
