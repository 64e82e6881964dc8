from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest

from codex_api import ResponsesApiRequest, ResponsesOptions
from codex_api._logic.outgoing.body import encode_request
from codex_api._logic.outgoing.items import prepare_items
from codex_api._logic.session.encoded_input import EncodedInput
from codex_api._logic.session.held_input import Outgoing
from codex_api._logic.session.request_forms import RequestForms
from codex_api.errors import RequestBuildError
from codex_api.items import FunctionCallOutput, Message
from codex_api.types.trace import W3cTraceContext

USER = Message.user("hi")
LITE = {"x-openai-internal-codex-responses-lite": "true"}


def forms(**fields: Any) -> RequestForms:
    options = fields.pop("options", ResponsesOptions())
    return RequestForms(ResponsesApiRequest(model="m", **({"input": [USER]} | fields)), options)


def frame(given: RequestForms, **changes: Any) -> Any:
    values = {"previous_response_id": None, "generate": None, "turn_state": None, "trace": None}
    return json.loads(given.frame(bytes(given.input), wall=1.5, **(values | changes)))


def test_a_text_is_one_message() -> None:
    assert json.loads(bytes(forms(input="hi").input)) == json.loads(bytes(forms().input))


def test_input_and_metadata_are_no_fields() -> None:
    other = forms(input=[USER, USER], client_metadata={"a": "b"}, prompt_cache_breakpoints=[(0, 0)])

    assert other.fields == forms().fields
    assert forms(instructions="x").fields != forms().fields


def test_a_frame_carries_what_http_has_headers_for() -> None:
    given = forms(client_metadata={"k": "v"}, options=ResponsesOptions(extra_headers=LITE))
    trace = W3cTraceContext("00-1-2-01", "a=b")

    assert frame(given, turn_state="TS", trace=trace)["client_metadata"] == {
        "k": "v",
        "x-codex-turn-state": "TS",
        "ws_request_header_x_openai_internal_codex_responses_lite": "true",
        "x-codex-ws-stream-request-start-ms": "1500",
        "ws_request_header_traceparent": "00-1-2-01",
        "ws_request_header_tracestate": "a=b",
    }
    assert frame(forms())["client_metadata"] == {"x-codex-ws-stream-request-start-ms": "1500"}


def test_cache_marks_are_part_of_the_input() -> None:
    marked = forms(prompt_cache_breakpoints=[(0, 0)])
    part = json.loads(bytes(marked.input))[0]["content"][0]

    assert part["prompt_cache_breakpoint"] == {"mode": "explicit"}
    assert frame(marked)["input"][0]["content"][0] == part


def test_kept_items_follow_the_callers_own() -> None:
    kept = msgspec.Raw(b'{"type":"x"}')
    given = forms(prompt_cache_breakpoints=[(0, 0)])
    body = given.posted([kept])

    assert isinstance(body.input, list)
    assert json.loads(bytes(body.input[0]))["content"][0]["prompt_cache_breakpoint"]
    assert body.input[1] is kept


def test_kept_items_may_stand_alone() -> None:
    body = forms(input=[]).posted([msgspec.Raw(b'{"type":"x"}')])

    assert json.loads(encode_request(body))["input"] == [{"type": "x"}]


@pytest.mark.parametrize("marks", [(), [(0, 0)]])
@pytest.mark.parametrize("items", ["hi", "", [], (), [USER, {"type": "x", "n": 1}], (USER,)])
def test_what_is_posted_is_what_the_request_says(items: Any, marks: Any) -> None:
    request = ResponsesApiRequest(model="m", input=items, prompt_cache_breakpoints=marks)
    posted = RequestForms(request, ResponsesOptions()).posted([])

    assert json.loads(encode_request(posted)) == json.loads(encode_request(request))


@pytest.mark.parametrize(
    ("items", "starts"),
    [
        ("text", True),
        ([], True),
        ([USER], True),
        ([FunctionCallOutput(call_id="c", output="x")], False),
        ([msgspec.Raw(b'{"type":"custom_tool_call_output"}')], False),
        ([msgspec.Raw(b'{"type":"message"}')], True),
        ([{"type": "function_call_output", "call_id": "c", "output": "x"}], False),
        ([{"type": "message", "role": "user", "content": "x"}], True),
    ],
)
def test_a_turn_goes_on_with_the_output_of_a_tool(items: Any, *, starts: bool) -> None:
    assert forms(input=items).starts_turn is starts


@pytest.mark.parametrize(
    ("fields", "stored"),
    [({}, False), ({"store": True}, True), ({"extra_body": {"background": True}}, True)],
)
def test_stored_and_background_responses_can_be_resumed(
    fields: dict[str, Any], *, stored: bool
) -> None:
    assert forms(**fields).stored is stored


@pytest.mark.parametrize(
    ("fields", "may_chain"),
    [
        ({}, True),
        ({"extra_body": {"x": 1}}, True),
        ({"extra_body": {"previous_response_id": "r"}}, False),
        ({"extra_body": {"conversation": "c"}}, False),
        ({"previous_response_id": "r"}, False),
        ({"conversation": "c"}, False),
    ],
)
def test_a_chain_of_the_callers_own_is_left_alone(
    fields: dict[str, Any], *, may_chain: bool
) -> None:
    assert forms(**fields).may_chain is may_chain


@pytest.mark.parametrize("item_ids", ["keep", "drop"])
def test_ids_go_out_as_the_caller_says(item_ids: Any) -> None:
    given = forms(
        input=[msgspec.structs.replace(USER, id="msg_1")],
        options=ResponsesOptions(item_ids=item_ids),
    )

    assert given.keep_ids is (item_ids == "keep")
    assert ("id" in json.loads(bytes(given.input))[0]) is given.keep_ids


def test_what_cannot_be_encoded_fails_at_once() -> None:
    with pytest.raises(RequestBuildError):
        forms(tools=[{"x": object()}])


def test_marks_that_move_with_the_history_are_encoded_as_by_a_request_alone() -> None:
    draw = random.Random(8)  # noqa: S311 - the same every time
    remembered, history = EncodedInput(), [Message.user(f"m{n}") for n in range(5)]
    for turn in range(60):
        if draw.random() < 0.2:
            del history[draw.randrange(len(history)) :]
        if draw.random() < 0.2 and history:
            history[draw.randrange(len(history))] = Message.user(f"other {turn}")
        history += [Message.user(f"turn {turn} {n}") for n in range(draw.randrange(3))]
        marks = [(draw.randrange(len(history) + 2), draw.randrange(2)) for _ in range(turn % 4)]
        request = ResponsesApiRequest(
            model="m", input=list(history), prompt_cache_breakpoints=marks
        )

        expected = bytes(RequestForms(request, ResponsesOptions()).input)
        assert bytes(RequestForms(request, ResponsesOptions(), remembered).input) == expected
        body = json.loads(encode_request(request))
        assert json.loads(expected) == body["input"]


def test_a_mark_that_moves_on_leaves_the_history_before_it_encoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: list[int] = []

    def counting(items: Any, *, keep_ids: bool) -> Any:
        encoded.append(len(items))
        return prepare_items(items, keep_ids=keep_ids)

    monkeypatch.setattr("codex_api._logic.session.encoded_input.prepare_items", counting)
    remembered, history = EncodedInput(), [Message.user(f"m{n}") for n in range(1000)]
    for _ in range(3):
        encoded.clear()
        history.append(Message.user("next"))
        request = ResponsesApiRequest(
            model="m", input=list(history), prompt_cache_breakpoints=[(len(history) - 1, 0)]
        )
        RequestForms(request, ResponsesOptions(), remembered)

    assert sum(encoded) == 2  # what was marked before, and what is marked now


def test_a_text_with_a_mark_is_encoded_as_by_a_request_alone() -> None:
    request = ResponsesApiRequest(model="m", input="hi", prompt_cache_breakpoints=[(0, 0)])
    sent = json.loads(encode_request(request))["input"]

    assert json.loads(bytes(forms(input="hi", prompt_cache_breakpoints=[(0, 0)]).input)) == sent
    assert "prompt_cache_breakpoint" in sent[0]["content"][0]


def test_what_goes_out_in_place_of_the_input_stands_alone() -> None:
    given = forms(prompt_cache_breakpoints=[(0, 0)])

    posted = given.posted([msgspec.Raw(b"{}")], Outgoing(b'[{"a":1}]', "r1"))

    assert json.loads(encode_request(posted))["input"] == [{"a": 1}]
    assert (posted.previous_response_id, posted.conversation) == ("r1", None)
    assert posted.prompt_cache_breakpoints == ()


def test_a_frame_names_the_conversation_of_the_session() -> None:
    assert frame(forms(), conversation="conv_1")["conversation"] == "conv_1"
    assert "conversation" not in frame(forms())
