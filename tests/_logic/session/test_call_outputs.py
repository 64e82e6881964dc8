from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pydantic
import pytest

from codex_api import ResponsesApiRequest, errors, items, tools
from codex_api._logic.incoming.collect import CollectedResponse
from codex_api._logic.session.call_outputs import answer_of, failure_of, output_of
from codex_api._logic.session.failed import Failed
from codex_api._logic.session.run_result import ToolAnswered
from codex_api._logic.session.run_tools import CallHandlers, RunTools
from codex_api._logic.session.tool_loop import RunLimits, ToolLoop

if TYPE_CHECKING:
    from codex_api._logic.session.run_result import ToolCall

PROGRAM = {"type": "program", "caller_id": "p1"}


def decoded(**fields: Any) -> Any:
    return items.decode_item(msgspec.json.encode(fields))


FUNCTION = decoded(
    type="function_call", name="f", arguments="{}", call_id="c1", caller=PROGRAM, id="fc_1"
)
CUSTOM = decoded(type="custom_tool_call", name="t", input="x", call_id="c1", caller=PROGRAM)
SHELL = decoded(
    type="shell_call",
    id="sh_1",
    call_id="c1",
    caller=PROGRAM,
    action={"commands": ["ls"], "max_output_length": 10},
)
LOCAL_SHELL = decoded(
    type="local_shell_call",
    id="lsh_1",
    call_id="c1",
    status="completed",
    action={"type": "exec", "command": ["ls"], "env": {}},
)
PATCH = decoded(
    type="apply_patch_call",
    call_id="c1",
    status="completed",
    operation={"type": "delete_file", "path": "a"},
)
COMPUTER = decoded(type="computer_call", id="cu_1", call_id="c1", action={"type": "screenshot"})
SEARCH = decoded(type="tool_search_call", call_id="c1", execution="client", arguments={})
APPROVAL = decoded(
    type="mcp_approval_request", id="mcpr_1", server_label="s", name="n", arguments="{}"
)
CALLS = (FUNCTION, CUSTOM, SHELL, LOCAL_SHELL, PATCH, COMPUTER, SEARCH, APPROVAL)
EXIT = {"type": "exit", "exit_code": 0}


def wire(item: Any) -> Any:
    return msgspec.json.decode(items.encode_item(item))


@pytest.mark.parametrize(
    ("call", "value", "output"),
    [
        (FUNCTION, [1], {"type": "function_call_output", "output": "[1]", "caller": PROGRAM}),
        (CUSTOM, "x", {"type": "custom_tool_call_output", "output": "x", "caller": PROGRAM}),
        (
            SHELL,
            "out",
            {
                "type": "shell_call_output",
                "output": [{"stdout": "out", "stderr": "", "outcome": EXIT}],
                "max_output_length": 10,
                "caller": PROGRAM,
            },
        ),
        (
            LOCAL_SHELL,
            {"stdout": "a"},
            {"type": "local_shell_call_output", "id": "c1", "output": '{"stdout":"a"}'},
        ),
        (PATCH, None, {"type": "apply_patch_call_output", "status": "completed"}),
        (
            COMPUTER,
            "https://x.invalid/a.png",
            {
                "type": "computer_call_output",
                "output": {"type": "computer_screenshot", "image_url": "https://x.invalid/a.png"},
            },
        ),
        (
            COMPUTER,
            items.ComputerScreenshot(file_id="f"),
            {
                "type": "computer_call_output",
                "output": {"type": "computer_screenshot", "file_id": "f"},
            },
        ),
        (
            SEARCH,
            [{"type": "function", "name": "g"}],
            {
                "type": "tool_search_output",
                "status": "completed",
                "execution": "client",
                "tools": [{"type": "function", "name": "g"}],
            },
        ),
    ],
    ids=lambda value: getattr(value, "type", None),
)
def test_a_value_stands_for_the_output_of_its_call(
    call: ToolCall, value: Any, output: dict[str, Any]
) -> None:
    assert wire(answer_of(call, value)) == {"call_id": "c1", **output}


def test_a_picture_in_bytes_is_a_png() -> None:
    assert wire(answer_of(COMPUTER, b"\x89PNG"))["output"] == {
        "type": "computer_screenshot",
        "image_url": "data:image/png;base64,iVBORw==",
    }


def test_a_yes_approves_and_a_no_denies() -> None:
    assert answer_of(APPROVAL, True) == APPROVAL.approved()
    assert answer_of(APPROVAL, False) == APPROVAL.denied()


def test_one_output_of_a_shell_needs_no_list() -> None:
    timed_out = items.ShellOutput(stdout="", stderr="", outcome=items.Timeout())

    assert wire(answer_of(SHELL, timed_out))["output"] == [
        {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}}
    ]


def test_an_item_goes_back_as_it_is() -> None:
    checked = items.ComputerCallOutput(
        call_id="c1",
        output=items.ComputerScreenshot(file_id="f"),
        acknowledged_safety_checks=[items.SafetyCheck(id="s1")],
    )

    assert answer_of(COMPUTER, checked) is checked
    assert answer_of(COMPUTER, wire(checked)) == checked
    assert answer_of(APPROVAL, APPROVAL.denied(reason="no")) == APPROVAL.denied(reason="no")


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (SHELL, 3),
        (SHELL, ["a", 3]),
        (PATCH, 3),
        (COMPUTER, None),
        (SEARCH, "a tool"),
        (APPROVAL, None),
        (APPROVAL, "yes"),
        (LOCAL_SHELL, object()),
    ],
    ids=lambda value: getattr(value, "type", None),
)
def test_what_answers_no_such_call_is_refused(call: ToolCall, value: Any) -> None:
    with pytest.raises(TypeError):
        answer_of(call, value)


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (FUNCTION, items.FunctionCallOutput(call_id="c2", output="x")),
        (APPROVAL, items.McpApprovalResponse(approval_request_id="c2", approve=True)),
    ],
    ids=lambda value: getattr(value, "type", None),
)
def test_an_output_of_another_call_is_refused(call: ToolCall, value: Any) -> None:
    with pytest.raises(ValueError, match="answers 'c2'"):
        answer_of(call, value)


def test_each_type_of_call_has_a_word_for_failure_or_none() -> None:
    error = OSError("password=x")

    told = {call.type: failure_of(call, error) for call in CALLS}

    assert {kind for kind, output in told.items() if output is None} == {
        "computer_call",
        "tool_search_call",
    }
    for output in told.values():
        assert output is None or "the tool failed (OSError)" in str(output)
    shell, patch, approval = (
        wire(told[kind]) for kind in ("shell_call", "apply_patch_call", "mcp_approval_request")
    )
    assert shell["output"][0]["outcome"] == {"type": "exit", "exit_code": 1}
    assert patch["status"] == "failed"
    assert approval["approve"] is False


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (FUNCTION, "Error: no"),
        (CUSTOM, "Error: no"),
        (SHELL, "Error: no"),
        (LOCAL_SHELL, "Error: no"),
        (PATCH, "Error: no"),
        (COMPUTER, ""),
        (APPROVAL, "Error: no"),
    ],
    ids=lambda value: getattr(value, "type", None),
)
def test_an_answer_tells_its_name_and_text(call: ToolCall, text: str) -> None:
    answer = ToolAnswered(call=call, output=failure_of(call, tools.ToolError("no")))

    assert answer.text == text
    assert answer.name == getattr(call, "name", call.type)


def test_an_approval_without_a_reason_says_which() -> None:
    assert ToolAnswered(call=APPROVAL, output=APPROVAL.approved()).text == "approved"


def run_of(*called: Any, handlers: CallHandlers, **limits: Any) -> ToolLoop:
    request = ResponsesApiRequest(model="m", input="hi")
    run = ToolLoop(request, (), handlers, RunLimits(**limits), is_async=True)
    for index, job in enumerate(run.answered(CollectedResponse(items=list(called)))):
        try:
            outcome: object = job.work()
        except OSError as exc:
            outcome = Failed(exc)
        run.made(index, outcome)
    run.go_on()
    return run


def fail(_: Any) -> Any:
    raise OSError


def test_a_failure_that_no_item_can_tell_ends_the_run() -> None:
    run = run_of(COMPUTER, SHELL, handlers={"computer_call": fail, "shell_call": lambda _: "ok"})

    result = run.result()
    assert (result.ended, type(result.error)) == ("tool_failed", OSError)
    assert result.open_calls == [COMPUTER]
    assert [item.type for item in result.items] == [
        "computer_call",
        "shell_call",
        "shell_call_output",
    ]


def test_calls_without_an_id_that_tells_them_apart_are_answered_each() -> None:
    bare = msgspec.structs.replace(LOCAL_SHELL, id=None, call_id=None)
    other = msgspec.structs.replace(bare)

    run = run_of(bare, other, handlers={"local_shell_call": lambda _: "x"})

    assert run.ended is None
    assert [item.type for item in run.result().items][2:] == ["local_shell_call_output"] * 2


def test_handled_calls_count() -> None:
    run = run_of(SHELL, handlers={"shell_call": lambda _: "x"}, max_calls=1)
    assert run.ended is None

    run.answered(CollectedResponse(items=[SHELL]))

    assert run.ended == "max_calls"


def test_a_shell_of_the_server_is_not_ours() -> None:
    theirs = decoded(
        type="shell_call",
        call_id="c1",
        action={"commands": ["ls"]},
        environment={"type": "container_reference", "container_id": "cntr_1"},
    )

    assert run_of(theirs, handlers={"shell_call": lambda _: "x"}).ended == "open_calls"


def test_a_function_goes_before_a_handler_and_a_handler_before_nobody() -> None:
    def f() -> str:
        return "function"

    handlers: CallHandlers = {"function_call": lambda call: call.name}
    mine = RunTools(
        [tools.FunctionTool.from_callable(f), {"type": "function", "name": "g"}],
        handlers,
        is_async=False,
    )
    named = {
        name: mine.job(items.FunctionCall(name=name, arguments="{}", call_id="c1"))
        for name in ("f", "g", "h")
    }

    assert [job.work() for name, job in named.items() if job is not None and name != "h"] == [
        "function",
        "g",
    ]
    assert named["h"] is not None
    with pytest.raises(tools.ToolError, match="no tool named h"):
        named["h"].work()


def test_a_job_is_called_by_what_is_called() -> None:
    handlers: CallHandlers = {"shell_call": str, "mcp_approval_request": bool}
    mine = RunTools([], handlers, is_async=False)

    jobs = [mine.job(item) for item in (SHELL, APPROVAL)]
    assert [job.name for job in jobs if job is not None] == ["shell_call", "n"]


def test_a_call_that_cannot_be_read_is_nobodys() -> None:
    unreadable = items.UnknownItem.of({"type": "shell_call"})

    assert RunTools([], {"shell_call": str}, is_async=False).job(unreadable) is None
    assert run_of(unreadable, handlers={"shell_call": str}).ended == "open_calls"


@pytest.mark.parametrize(
    ("handlers", "words"),
    [
        ({"shell": len}, "'shell' is no type of call"),
        ({"shell_call": "ls"}, "shell_call must be callable"),
    ],
)
def test_what_is_no_handler_is_refused(handlers: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        RunTools([], handlers, is_async=True)


def test_a_custom_tool_of_a_function_takes_one_text() -> None:
    def write(text: str, times: int = 1) -> str:
        """Write it.

        As often as told.
        """
        return text * times

    grammar = tools.Grammar("start: /a+/", "lark")
    tool = tools.CustomTool.from_callable(write, format=grammar)

    assert wire_tool(tool) == {
        "type": "custom",
        "name": "write",
        "description": "Write it.",
        "format": {"type": "grammar", "definition": "start: /a+/", "syntax": "lark"},
    }
    assert tool.call("a") == "a"
    named = tools.CustomTool.from_callable(write, name="w", description="")
    assert wire_tool(named) == {"type": "custom", "name": "w"}


def wire_tool(tool: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(tool))


def test_a_custom_tool_that_cannot_be_called_is_refused() -> None:
    def two(first: str, second: str) -> None: ...

    with pytest.raises(errors.RequestBuildError, match="two cannot be called with one text"):
        tools.CustomTool.from_callable(two)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(TypeError, match="from_callable"):
        tools.CustomTool(name="t").call("x")


class Model(pydantic.BaseModel):
    number: int = 1


@pydantic.dataclasses.dataclass
class Made:
    number: int = 1


@dataclasses.dataclass
class Holder:
    model: Model


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([Model(), Model(number=2)], '[{"number":1},{"number":2}]'),
        ({"a": Model()}, '{"a":{"number":1}}'),
        (Holder(Model()), '{"model":{"number":1}}'),
        (Made(), '{"number":1}'),
        (Path("a/b"), '"a/b"'),
        ([Path("a")], '["a"]'),
        ("half \ud83d", "half \ufffd"),
        ("two halves \ud83d\ude00", "two halves \U0001f600"),
        ({"a\ud83d": ["b\udcff", 1]}, '{"a\ufffd":["b\ufffd",1]}'),
    ],
)
@pytest.mark.parametrize("call", [FUNCTION, CUSTOM])
def test_what_functions_give_goes_back(call: ToolCall, value: Any, told: str) -> None:
    assert wire(answer_of(call, value))["output"] == told


@pytest.mark.parametrize("call", [FUNCTION, CUSTOM, SHELL, LOCAL_SHELL, PATCH])
def test_no_half_of_a_character_goes_out(call: ToolCall) -> None:
    told = msgspec.json.encode(wire(answer_of(call, "\udcff")))
    failed = msgspec.json.encode(wire(failure_of(call, tools.ToolError("\udcff"))))

    assert "\ufffd" in told.decode()
    assert "\ufffd" in failed.decode()


def test_parts_and_shell_outputs_are_made_whole_too() -> None:
    parts = answer_of(FUNCTION, [items.InputText(text="\udcff")])
    shell = items.ShellOutput(stdout="\udcff", stderr="\ud83d", outcome=items.Exit(3))

    assert wire(parts)["output"] == [{"type": "input_text", "text": "\ufffd"}]
    assert wire(answer_of(SHELL, shell))["output"] == [
        {"stdout": "\ufffd", "stderr": "\ufffd", "outcome": {"type": "exit", "exit_code": 3}}
    ]


def test_items_within_what_a_tool_gave_keep_the_members_that_nobody_knows() -> None:
    told = '{"type":"message","role":"user","content":[],"later":1}'

    assert output_of({"found": decoded(**msgspec.json.decode(told))}) == f'{{"found":{told}}}'
