from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from pydantic import BaseModel

from codex_api import ResponsesApiRequest, errors, items, tools
from codex_api._logic.incoming.collect import CollectedResponse
from codex_api._logic.session.call_outputs import output_of, told_of
from codex_api._logic.session.failed import Failed
from codex_api._logic.session.tool_loop import RunLimits, ToolLoop
from codex_api.tools import ToolError
from codex_api.types import hosted_parts
from codex_api.types.content import InputImage, InputText
from codex_api.types.usage import TokenUsage

if TYPE_CHECKING:
    from codex_api._logic.session.run_tools import Job

REQUEST = ResponsesApiRequest(model="m", input="hi")
SAID = items.Message.assistant("Done.")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def call(name: str = "add", call_id: str = "c1", **fields: Any) -> items.FunctionCall:
    fields.setdefault("arguments", '{"a": 1, "b": 2}')
    return items.FunctionCall(name=name, call_id=call_id, **fields)


def response(*output: Any, **fields: Any) -> CollectedResponse:
    return CollectedResponse(items=list(output), **fields)


def loop(*given: Any, request: ResponsesApiRequest = REQUEST, **limits: Any) -> ToolLoop:
    return ToolLoop(request, given or (add,), {}, RunLimits(**limits), is_async=True)


def outcome(job: Job) -> object:
    try:
        return job.work()
    except ToolError as exc:
        return Failed(exc)


def answer(run: ToolLoop, *output: Any, **fields: Any) -> list[str]:
    """Let the model answer, make its calls and return what goes back for them."""
    told = [
        run.made(index, outcome(job)).text
        for index, job in enumerate(run.answered(response(*output, **fields)))
    ]
    if run.ended is None:
        run.go_on()
    return told


def test_functions_are_added_to_the_tools_of_the_request() -> None:
    request = REQUEST.replace(tools=[{"type": "web_search"}])

    first, second = loop(request=request).request.tools or ()

    assert first == {"type": "web_search"}
    assert isinstance(second, tools.FunctionTool)
    assert second.name == "add"


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (call(id="fc_2", status="completed"), ["3"]),
        (call(arguments='{"a": 2, "b": 2}'), ["3", "4"]),
        (call(call_id="c2"), ["3", "3"]),
    ],
)
def test_a_call_that_is_told_again_is_made_once(second: Any, told: list[str]) -> None:
    run = loop()

    assert answer(run, call(id="fc_1"), second) == told
    assert run.result().open_calls == []


def test_what_a_later_response_calls_is_another_call() -> None:
    run = loop()

    assert [answer(run, call()), answer(run, call())] == [["3"], ["3"]]


def test_the_next_request_holds_what_was_said_called_and_returned() -> None:
    run = loop()

    told = answer(run, SAID, call())

    assert told == ["3"]
    assert run.request.input == [
        items.Message.user("hi"),
        SAID,
        call(),
        items.FunctionCallOutput(call_id="c1", output="3"),
    ]


def test_a_run_ends_when_nothing_is_asked_for() -> None:
    run = loop()
    answer(run, call(), usage=TokenUsage(input_tokens=1, output_tokens=2, total_tokens=3))

    answer(run, call(), usage=None)
    answer(run, SAID, text="Done.", usage=TokenUsage(input_tokens=10, output_tokens=20))

    result = run.result()
    assert (result.ended, result.turns, result.text) == ("completed", 3, "Done.")
    assert result.usage == TokenUsage(input_tokens=11, output_tokens=22, total_tokens=3)
    assert [item.type for item in result.items] == [
        *("function_call", "function_call_output") * 2,
        "message",
    ]


def test_outputs_go_back_in_the_order_of_the_calls() -> None:
    run = loop()
    jobs = run.answered(response(call(call_id="c1"), call(call_id="c2")))

    for index in (1, 0):
        run.made(index, jobs[index].work())
    run.go_on()

    assert [getattr(each.call, "call_id", None) for each in run.result().answers] == ["c1", "c2"]
    assert [item.call_id for item in run.request.input[-2:]] == ["c1", "c2"]  # type: ignore[union-attr]  # outputs


def test_a_conversation_is_given_outputs_alone() -> None:
    run = loop(request=REQUEST.replace(conversation="conv_1"))

    answer(run, call())

    assert run.request.input == [items.FunctionCallOutput(call_id="c1", output="3")]


def test_a_model_that_wants_to_go_on_is_asked_again() -> None:
    run = loop()

    answer(run, SAID, end_turn=False)

    assert run.ended is None
    assert run.request.input == [items.Message.user("hi"), SAID]


@pytest.mark.parametrize(
    ("limits", "ended"), [({"max_turns": 1}, "max_turns"), ({"max_calls": 1}, "max_calls")]
)
def test_a_limit_leaves_the_calls_open(limits: dict[str, Any], ended: str) -> None:
    run = loop(**limits)

    answer(run, call(call_id="c1"), call(call_id="c2"))

    result = run.result()
    assert (result.ended, result.answers) == (ended, [])
    assert [item.call_id for item in result.open_calls] == ["c1", "c2"]  # type: ignore[union-attr]  # calls


def test_a_response_that_is_not_whole_is_not_acted_on() -> None:
    run = loop()

    answer(run, call(), incomplete_reason="max_output_tokens")

    assert (run.result().ended, run.result().answers) == ("incomplete", [])


def test_a_run_without_limits_has_ten_turns_and_makes_sixteen_calls_at_once() -> None:
    assert (RunLimits().max_turns, RunLimits().max_calls, RunLimits().at_once) == (10, None, 16)


def test_as_many_calls_as_the_limit_says_are_made() -> None:
    run = loop(max_calls=2)

    assert answer(run, call(), call(call_id="c2")) == ["3", "3"]
    assert run.ended is None


def test_a_request_without_tools_stays_without() -> None:
    request = REQUEST.replace(tools=None)

    assert ToolLoop(request, (), {}, RunLimits(), is_async=True).request.tools is None


def test_an_input_of_items_goes_on() -> None:
    given = [items.Message.user("hi"), SAID]
    run = loop(request=REQUEST.replace(input=given))

    answer(run, call())

    assert list(run.request.input)[:3] == [*given, call()]


def test_what_has_no_call_id_is_told_apart_by_itself() -> None:
    asked = [
        items.McpApprovalRequest(id=name, name="n", arguments="{}", server_label="s")
        for name in "ab"
    ]
    run = loop()

    answer(run, *asked, items.UnknownItem.of({"type": "new_output"}))

    assert run.result().open_calls == asked


def test_calls_of_two_kinds_are_two_though_they_have_one_id() -> None:
    run = loop()

    told = answer(run, call(), items.CustomToolCall(call_id="c1", name="add", input="x"))

    assert len(told) + len(run.result().open_calls) == 2


def test_a_call_that_no_function_answers_ends_the_run_after_the_others() -> None:
    run = loop(add, {"type": "function", "name": "ask_person"})

    answer(run, call("ask_person", "c1"), call(call_id="c2"))

    result = run.result()
    assert result.ended == "open_calls"
    assert result.open_calls == [call("ask_person", "c1")]
    assert [each.text for each in result.answers] == ["3"]


@pytest.mark.parametrize(
    "item",
    [
        items.CustomToolCall(name="t", call_id="c1", input="x"),
        items.McpApprovalRequest(id="a", arguments="{}", name="n", server_label="s"),
        items.ToolSearchCall(call_id="c1", execution="client", arguments={}),
    ],
    ids=lambda item: item.type,
)
def test_what_asks_somebody_else_is_left_open(item: Any) -> None:
    run = loop()

    answer(run, item)

    assert (run.result().ended, run.result().open_calls) == ("open_calls", [item])


def test_what_the_server_does_itself_is_no_question() -> None:
    run = loop()

    answer(run, items.ToolSearchCall(call_id=None, execution="server", arguments={}), SAID)

    assert run.ended == "completed"


SHELL = msgspec.json.decode(
    b'{"type":"shell_call","call_id":"c1","action":{"commands":["ls"]}}', type=items.ShellCall
)
CONTAINER = hosted_parts.ContainerReference(container_id="c")
SEARCHING = items.ToolSearchCall(call_id="c1", execution="client", arguments={})


@pytest.mark.parametrize(
    ("item", "is_handled"),
    [
        (SHELL, True),
        (SEARCHING, True),
        (msgspec.structs.replace(SHELL, environment=CONTAINER), False),
        (items.UnknownItem.of({"type": "shell_call"}), False),
        (items.CustomToolCall(name="t", call_id="c1", input="x"), False),
    ],
)
def test_a_handler_answers_calls_of_its_type(item: Any, *, is_handled: bool) -> None:
    handlers: Any = {"shell_call": lambda _: "listed", "tool_search_call": lambda _: []}
    run = ToolLoop(REQUEST, (), handlers, RunLimits(), is_async=False)

    jobs = run.answered(response(item))

    assert [(job.call, job.name, job.is_async) for job in jobs] == (
        [(item, item.type, False)] if is_handled else []
    )


def test_an_async_handler_is_awaited_or_refused() -> None:
    async def listed(_: object) -> str:
        return "listed"

    run = ToolLoop(REQUEST, (), {"shell_call": listed}, RunLimits(), is_async=True)

    assert [job.is_async for job in run.answered(response(SHELL))] == [True]
    with pytest.raises(TypeError, match="shell_call is async"):
        ToolLoop(REQUEST, (), {"shell_call": listed}, RunLimits(), is_async=False)


@pytest.mark.parametrize(
    ("handlers", "words"),
    [({"shell": print}, "no type of call"), ({"shell_call": "ls"}, "must be callable")],
)
def test_what_is_no_handler_is_refused(handlers: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        ToolLoop(REQUEST, (), handlers, RunLimits(), is_async=False)


def test_a_function_of_a_custom_tool_gets_the_input() -> None:
    def shout(text: str) -> str:
        """Say it loudly."""
        return text.upper()

    run = loop(add, tools.CustomTool.from_callable(shout))
    asked = items.CustomToolCall(name="shout", call_id="c1", input="x")

    assert answer(run, asked, call()) == ["X", "3"]


def test_a_job_is_named_after_what_is_called() -> None:
    run = loop()
    jobs = run.answered(response(call(), call("subtract", "c2")))

    assert [(job.name, job.is_async) for job in jobs] == [("add", False), ("subtract", False)]


def test_a_tool_that_nobody_declared_is_told_to_the_model() -> None:
    run = loop()

    (told,) = answer(run, call("subtract"))

    assert told == "Error: there is no tool named subtract"
    assert run.ended is None


def test_a_function_in_a_namespace_is_called_by_both_names() -> None:
    space = tools.Namespace(
        name="math", description="", tools=[tools.FunctionTool.from_callable(add)]
    )

    assert answer(loop(space), call(namespace="math")) == ["3"]
    assert "no tool" in answer(loop(space), call())[0]


def test_the_caller_of_a_call_goes_back_with_its_output() -> None:
    caller = {"type": "program", "caller_id": "p1"}
    asked = msgspec.json.decode(
        msgspec.json.encode({**msgspec.to_builtins(call()), "caller": caller}),
        type=items.FunctionCall,
    )
    run = loop()
    (job,) = run.answered(response(asked))

    output = run.made(0, job.work()).output

    assert isinstance(output, items.FunctionCallOutput)
    assert output.caller == asked.caller


@pytest.mark.parametrize(
    ("choice", "later"),
    [
        ("required", "auto"),
        ("auto", "auto"),
        ("none", "none"),
        ({"type": "function", "name": "add"}, "auto"),
        (
            {"type": "allowed_tools", "mode": "required", "tools": []},
            {"type": "allowed_tools", "mode": "auto", "tools": []},
        ),
        (tools.AllowedTools(tools=[], mode="required"), tools.AllowedTools(tools=[], mode="auto")),
        (msgspec.UNSET, msgspec.UNSET),
    ],
)
def test_a_choice_that_forces_a_call_holds_once(choice: Any, later: Any) -> None:
    run = loop(request=REQUEST.replace(tool_choice=choice))
    assert run.request.tool_choice == choice

    answer(run, call())

    assert run.request.tool_choice == later


def test_a_failure_ends_the_run_where_it_should() -> None:
    run = loop(tool_errors="end")
    run.answered(response(call(call_id="c1"), call(call_id="c2")))
    error = OSError("secret")

    run.made(0, Failed(error))
    run.go_on()

    result = run.result()
    assert (result.ended, result.error) == ("tool_failed", error)
    assert [item.call_id for item in result.open_calls] == ["c2"]  # type: ignore[union-attr]  # a call


def test_a_tool_that_gave_what_cannot_be_told_has_been_called_all_the_same() -> None:
    run = loop()
    run.answered(response(call()))

    made = run.made(0, object())

    assert isinstance(made.error, TypeError)
    assert made.text == "Error: the tool was called, and what it gave has no form that can be told"


def test_a_call_that_is_not_whole_is_not_made() -> None:
    run = loop()
    half = msgspec.structs.replace(call(), status="incomplete")

    assert run.answered(response(call(call_id="c0"), half)) == []
    assert run.ended == "incomplete"


def test_only_words_that_are_meant_for_it_reach_the_model() -> None:
    assert told_of(OSError("password=x")) == "Error: the tool failed (OSError)"
    assert told_of(tools.ToolError("try another city")) == "Error: try another city"
    assert told_of(tools.ToolArgumentsError("`a` is missing")) == "Error: `a` is missing"


@dataclass
class Point:
    x: int


class Model(BaseModel):
    x: int


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("text", "text"),
        (None, "null"),
        (3, "3"),
        (Point(1), '{"x":1}'),
        (Model(x=1), '{"x":1}'),
        ([1, "a"], '[1,"a"]'),
        ([], "[]"),
        (InputText("a"), [InputText("a")]),
        ((InputText("a"), InputImage("u")), [InputText("a"), InputImage("u")]),
    ],
)
def test_an_output_is_a_text_parts_or_json(value: Any, output: Any) -> None:
    assert output_of(value) == output


@pytest.mark.parametrize(
    "limits",
    [{"max_turns": 0}, {"max_calls": 0}, {"parallel": 0}, {"parallel": -1}, {"tool_errors": "log"}],
    ids=str,
)
def test_a_limit_that_there_cannot_be_is_refused_by_name(limits: dict[str, Any]) -> None:
    (name,) = limits

    with pytest.raises(errors.RequestBuildError, match=name):
        RunLimits(**limits)


def test_two_functions_of_one_name_are_refused() -> None:
    with pytest.raises(errors.RequestBuildError, match="two functions are called add"):
        loop(add, add)


@pytest.mark.parametrize(("parallel", "at_once"), [(True, 16), (False, 1), (3, 3)])
def test_calls_are_made_side_by_side_as_far_as_the_caller_wants(
    parallel: Any, at_once: int
) -> None:
    assert loop(parallel=parallel).at_once == at_once


@pytest.mark.parametrize(
    "tool",
    [
        msgspec.Raw(b'{"type":"function","name":"f"}'),
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
        msgspec.Raw(b"{"),
    ],
    ids=["raw", "namespace", "unreadable"],
)
def test_a_tool_as_json_is_the_callers_own_business(tool: Any) -> None:
    space = "n" if isinstance(tool, dict) else None
    run = loop(tool)

    told = answer(run, call("f", namespace=space))

    # What cannot be read has no name.
    assert told == (["Error: there is no tool named f"] if tool == msgspec.Raw(b"{") else [])


def test_what_is_no_tool_is_refused() -> None:
    with pytest.raises(TypeError, match="not 'web_search'"):
        loop("web_search")


def test_an_async_function_is_refused_where_nothing_awaits_it() -> None:
    async def look() -> str:
        return ""

    with pytest.raises(TypeError, match="look is async"):
        ToolLoop(REQUEST, [look], {}, RunLimits(), is_async=False)
