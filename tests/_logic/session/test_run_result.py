from __future__ import annotations

from typing import Any

import msgspec
import pytest

from codex_api import items
from codex_api._logic.incoming.collect import CollectedResponse
from codex_api._logic.incoming.item_codec import decode_item
from codex_api._logic.session.run_result import RunResult, ToolAnswered
from codex_api.errors import DecodeError

SAID = CollectedResponse(items=[items.Message.assistant("[1, 2]")], text="[1, 2]")


SHELL = msgspec.convert(
    {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}}, items.ShellCall
)


def output(**fields: Any) -> Any:
    return decode_item(msgspec.Raw(msgspec.json.encode(fields)))


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (None, ""),
        ({"type": "function_call_output", "call_id": "c", "output": "o"}, "o"),
        ({"type": "function_call_output", "call_id": "c", "output": []}, ""),
        ({"type": "apply_patch_call_output", "call_id": "c", "status": "completed"}, ""),
        (
            {
                "type": "apply_patch_call_output",
                "call_id": "c",
                "status": "failed",
                "output": "no such file",
            },
            "no such file",
        ),
        (
            {
                "type": "shell_call_output",
                "call_id": "c",
                "output": [
                    {"stdout": "a", "stderr": "b", "outcome": {"type": "exit", "exit_code": 0}},
                    {"stdout": "", "stderr": "c", "outcome": {"type": "exit", "exit_code": 1}},
                ],
            },
            "a\nb\nc",
        ),
        (
            {"type": "mcp_approval_response", "approval_request_id": "r", "approve": True},
            "approved",
        ),
        ({"type": "mcp_approval_response", "approval_request_id": "r", "approve": False}, "denied"),
        (
            {
                "type": "mcp_approval_response",
                "approval_request_id": "r",
                "approve": False,
                "reason": "too late",
            },
            "too late",
        ),
        (
            {
                "type": "tool_search_output",
                "call_id": "c",
                "status": "completed",
                "execution": "client",
                "tools": [],
            },
            "",
        ),
    ],
)
def test_what_goes_back_is_told_as_text(told: dict[str, Any] | None, text: str) -> None:
    item = None if told is None else output(**told)
    assert not isinstance(item, items.UnknownItem)

    assert ToolAnswered(call=SHELL, output=item).text == text


def test_an_answer_is_named_after_what_was_called() -> None:
    call = items.FunctionCall(name="add", call_id="c", arguments="{}")

    assert ToolAnswered(call=call, output=None).name == "add"
    assert ToolAnswered(call=SHELL, output=None).name == "shell_call"


def test_a_run_gives_what_was_said_last() -> None:
    result = RunResult(responses=[CollectedResponse(text="first"), SAID])

    assert result.text == "[1, 2]"
    assert result.parse(list[int]) == [1, 2]


def test_a_run_that_was_never_answered_says_nothing() -> None:
    assert (RunResult().text, RunResult().turns) == ("", 0)
    with pytest.raises(DecodeError, match="no response"):
        RunResult().parse(list[int])
