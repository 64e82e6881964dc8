from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api import items
from codex_api._logic.outgoing.body import (
    encode_request,
    encode_response_create,
    marked_items,
    parts_by_item,
    response_create_client_metadata,
)
from codex_api.transport.errors import RequestBuildError
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import PromptCacheOptions, ResponsesApiRequest, StreamOptions
from codex_api.types.text import TextControls
from codex_api.types.trace import W3cTraceContext

HI = b'{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}'
LEAST = ResponsesApiRequest(model="m", input=[])
LEAST_BODY = (
    b'{"model":"m","input":[],"tools":[],"tool_choice":"auto","parallel_tool_calls":true,'
    b'"reasoning":null,"store":false,"stream":true,"include":[]}'
)
FULL = ResponsesApiRequest(
    model="m",
    instructions="Be brief",
    input="hi",
    tools=[{"type": "function", "name": "f"}, msgspec.Raw(b'{ "type":"web_search"}')],
    tool_choice="required",
    parallel_tool_calls=False,
    reasoning=Reasoning(effort="high", summary="auto", context="all_turns"),
    store=True,
    stream=False,
    stream_options=StreamOptions(reasoning_summary_delivery="sequential_cutoff"),
    include=["reasoning.encrypted_content"],
    service_tier="priority",
    prompt_cache_key="t1",
    prompt_cache_options=PromptCacheOptions(mode="explicit"),
    text=TextControls(verbosity="low"),
    client_metadata={"b": "1", "a": "ä"},
)
FULL_FIELDS = (
    b'"input":[' + HI + b'],"tools":[{"type":"function","name":"f"},{ "type":"web_search"}],'
    b'"tool_choice":"required","parallel_tool_calls":false,'
    b'"reasoning":{"effort":"high","summary":"auto","context":"all_turns"},'
    b'"store":true,"stream":false,'
    b'"stream_options":{"reasoning_summary_delivery":"sequential_cutoff"},'
    b'"include":["reasoning.encrypted_content"],"service_tier":"priority",'
    b'"prompt_cache_key":"t1","prompt_cache_options":{"mode":"explicit"},'
    b'"text":{"verbosity":"low"}'
)
METADATA = ',"client_metadata":{"b":"1","a":"ä"}}'.encode()


def request(**changes: Any) -> ResponsesApiRequest:
    return msgspec.structs.replace(LEAST, **changes)


# --- HTTP ---------------------------------------------------------------------------------------


def test_the_least_request_has_every_key_that_is_always_sent() -> None:
    assert encode_request(LEAST) == LEAST_BODY


def test_every_field_stands_in_wire_order() -> None:
    body = b'{"model":"m","instructions":"Be brief",' + FULL_FIELDS + METADATA

    assert encode_request(FULL) == body


def test_tools_can_be_left_out() -> None:
    assert encode_request(request(tools=None)) == LEAST_BODY.replace(b'"tools":[],', b"")


def test_tool_choice_may_be_an_object() -> None:
    choice = {"type": "function", "name": "f"}

    assert b'"tool_choice":{"type":"function","name":"f"}' in encode_request(
        request(tool_choice=choice)
    )


def test_text_goes_out_unescaped_and_compact() -> None:
    body = encode_request(request(input='ä \U0001f600 \u2028 "\\\n'))

    assert 'text":"ä \U0001f600 \u2028 \\"\\\\\\n"'.encode() in body
    assert b'": ' not in body


def test_extra_body_comes_last_in_its_own_order() -> None:
    extra = {"temperature": 0.5, "previous_response_id": "resp_1", "metadata": {"k": "v"}}

    body = encode_request(request(extra_body=extra))

    assert body == LEAST_BODY[:-1] + (
        b',"temperature":0.5,"previous_response_id":"resp_1","metadata":{"k":"v"}}'
    )


def test_an_empty_extra_body_adds_nothing() -> None:
    assert encode_request(request(extra_body={})) == LEAST_BODY


@pytest.mark.parametrize("key", ["model", "input", "store", "service_tier", "client_metadata"])
def test_extra_body_may_not_hold_what_has_a_field(key: str) -> None:
    with pytest.raises(RequestBuildError, match=f"extra_body must not hold '{key}'"):
        encode_request(request(extra_body={"top_p": 1, key: None}))


def test_unknown_items_and_parts_go_out_verbatim() -> None:
    elements = [
        items.UnknownItem("later", msgspec.Raw(b'{ "type":"later"}')),
        items.Message.user(items.UnknownPart(b'{ "type":"input_file"}')),
    ]

    assert encode_request(request(input=elements)) == LEAST_BODY.replace(
        b'"input":[]',
        b'"input":[{ "type":"later"},'
        b'{"type":"message","role":"user","content":[{ "type":"input_file"}]}]',
    )


# --- raw input ----------------------------------------------------------------------------------

RAW = msgspec.Raw(b'{ "type": "message", "x": 1.50 }')


@pytest.mark.parametrize(
    "elements",
    [
        [RAW],
        [RAW, RAW],
        (RAW, RAW, RAW),
        [RAW, items.Message.user("hi"), RAW],
        [RAW, items.Message.user("hi")],
        [items.Message.user("hi"), RAW],
    ],
    ids=["one", "two", "tuple", "typed between", "typed last", "typed first"],
)
def test_raw_items_go_out_verbatim_in_their_place(elements: list[object]) -> None:
    expected = b",".join(bytes(RAW) if item is RAW else HI for item in elements)

    body = encode_request(request(input=elements, instructions="\0[\0]"))

    head = b'{"model":"m","instructions":"\\u0000[\\u0000]","input":['
    assert body == head + expected + LEAST_BODY[len(b'{"model":"m","input":[') :]


@given(st.lists(st.booleans(), max_size=6), st.booleans())
def test_raw_and_typed_items_mix_freely(raw: list[bool], keep_ids: bool) -> None:  # noqa: FBT001  # drawn
    typed = items.Message(id="msg_1", role="user", content=[items.InputText("hi")])
    elements = [RAW if is_raw else typed for is_raw in raw]
    kept = HI.replace(b'"message",', b'"message","id":"msg_1",') if keep_ids else HI

    body = encode_request(request(input=elements), keep_ids=keep_ids)

    expected = b",".join(bytes(RAW) if is_raw else kept for is_raw in raw)
    assert body == LEAST_BODY.replace(b'"input":[]', b'"input":[' + expected + b"]")


# --- ids ----------------------------------------------------------------------------------------


def test_ids_are_sent_only_when_asked_for() -> None:
    call = items.FunctionCall(id="fc_1", status="completed", name="f", arguments="", call_id="c")

    assert b"fc_1" not in encode_request(request(input=[call]))
    assert b'{"type":"function_call","id":"fc_1","status":"completed","name":"f",' in (
        encode_request(request(input=[call]), keep_ids=True)
    )


# --- wrong values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": ""}, "model must be a non-empty string"),
        ({"model": None}, "model must be a non-empty string"),
        ({"input": None}, "input must be a sequence of items"),
        ({"input": {"role": "user"}}, "input must be a sequence of items"),
        ({"input": RAW}, "input must be a sequence of items"),
        ({"input": [42]}, r"input\[0\] must be an item, a mapping"),
        ({"input": [RAW, 42]}, r"input\[1\] must be an item"),
        ({"input": [RAW, 42, RAW]}, r"input\[1\] must be an item"),
        ({"input": [{"role": "user"}, 42]}, r"input\[1\] must be an item, .* not int"),
        ({"input": [items.Message(role="user", content=[object()])]}, r"input\[0\] cannot be"),  # type: ignore[list-item]  # what is tested
        ({"input": [items.Message.user("\ud800")]}, r"input\[0\] cannot be encoded"),
        ({"tools": "f"}, "tools must be a sequence of tools"),
        ({"tools": {"type": "function"}}, "tools must be a sequence of tools"),
        ({"tools": [{"f": object()}]}, "tools cannot be encoded"),
        ({"tools": [{"f": object()}], "input": [RAW]}, "tools cannot be encoded"),
        ({"tools": [{}, "web_search"]}, r"tools\[1\] must be a tool, .* not str"),
        ({"tools": [len]}, "FunctionTool.from_callable"),
        ({"tool_choice": {"f": object()}}, "tool_choice cannot be encoded"),
        ({"instructions": "\udfff"}, "instructions cannot be encoded"),
        ({"parallel_tool_calls": "yes"}, "parallel_tool_calls must be true or false"),
        ({"store": None}, "store must be true or false"),
        ({"stream": 1}, "stream must be true or false"),
        ({"include": "reasoning"}, "include must be a sequence of strings"),
        ({"include": [1]}, "include must be a sequence of strings"),
        ({"client_metadata": {"a": 1}}, "client_metadata must be a mapping of strings"),
        ({"client_metadata": {1: "a"}}, "client_metadata must be a mapping of strings"),
        ({"metadata": {"a": 1}}, "metadata must be a mapping of strings"),
        ({"client_metadata": [("a", "b")]}, "client_metadata must be a mapping"),
        ({"extra_body": [1]}, "extra_body must be a mapping"),
        ({"extra_body": {"x": object()}}, "extra_body cannot be encoded"),
    ],
)
def test_a_wrong_value_is_named_by_its_field(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestBuildError, match=named):
        encode_request(request(**changes))


def test_a_cycle_is_an_error() -> None:
    tools: list[Any] = []
    tools.append({"tools": tools})

    with pytest.raises(RequestBuildError, match=r"^tools cannot be encoded"):
        encode_request(request(tools=tools))


# --- WebSocket ----------------------------------------------------------------------------------


def test_a_frame_is_the_body_behind_its_type() -> None:
    assert encode_response_create(LEAST) == b'{"type":"response.create",' + LEAST_BODY[1:]


def test_a_frame_puts_its_own_keys_where_the_server_expects_them() -> None:
    frame = encode_response_create(FULL, previous_response_id="resp_1", generate=False)

    assert frame == (
        b'{"type":"response.create","model":"m","instructions":"Be brief",'
        b'"previous_response_id":"resp_1",' + FULL_FIELDS + b',"generate":false' + METADATA
    )


def test_a_frame_keeps_ids_when_asked_to() -> None:
    item = items.Message(id="msg_1", role="user", content=[])

    assert b'"id":"msg_1"' in encode_response_create(request(input=[item]), keep_ids=True)
    assert b'"id":"msg_1"' not in encode_response_create(request(input=[item]))


@pytest.mark.parametrize("key", ["type", "previous_response_id", "generate", "tools"])
def test_extra_body_may_not_repeat_a_key_of_the_frame(key: str) -> None:
    with pytest.raises(RequestBuildError, match=f"extra_body must not hold '{key}'"):
        encode_response_create(
            request(extra_body={key: "x"}), previous_response_id="resp_1", generate=True
        )


def test_extra_body_may_hold_a_key_that_the_frame_does_not_set() -> None:
    frame = encode_response_create(request(extra_body={"previous_response_id": "resp_1"}))

    assert frame.endswith(b',"previous_response_id":"resp_1"}')


def test_the_trace_travels_in_the_client_metadata() -> None:
    trace = W3cTraceContext(traceparent="00-1", tracestate="a=b")

    assert response_create_client_metadata({"k": "v"}, trace) == {
        "k": "v",
        "ws_request_header_traceparent": "00-1",
        "ws_request_header_tracestate": "a=b",
    }


@pytest.mark.parametrize("trace", [None, W3cTraceContext()])
@pytest.mark.parametrize("metadata", [None, {}])
def test_client_metadata_without_entries_is_none(
    metadata: dict[str, str] | None, trace: W3cTraceContext | None
) -> None:
    assert response_create_client_metadata(metadata, trace) is None


def test_client_metadata_of_the_caller_is_not_changed() -> None:
    metadata = {"k": "v"}

    response_create_client_metadata(metadata, W3cTraceContext(tracestate="a=b"))

    assert metadata == {"k": "v"}


# --- cache breakpoints --------------------------------------------------------------------------

STAMP = b',"prompt_cache_breakpoint":{"mode":"explicit"}'
STAMPED_HI = HI.replace(b'"hi"}', b'"hi"' + STAMP + b"}")


@pytest.mark.parametrize("encode", [encode_request, encode_response_create])
@pytest.mark.parametrize(
    "element",
    [items.Message.user("hi"), msgspec.Raw(HI)],
    ids=["typed", "raw"],
)
def test_a_named_block_is_stamped(encode: Any, element: object) -> None:
    marked = request(input=[element, element], prompt_cache_breakpoints=[(1, 0), (1, 0)])

    assert b'"input":[' + HI + b"," + STAMPED_HI + b"]" in encode(marked)


def test_blocks_are_stamped_in_implicit_mode_too() -> None:
    marked = request(
        input="hi",
        prompt_cache_options=PromptCacheOptions("implicit"),
        prompt_cache_breakpoints=[(0, 0)],
    )

    assert STAMPED_HI in encode_request(marked)


@pytest.mark.parametrize("position", [(1, 0), (0, 1), (-1, 0), (0, -1), (9, 9)])
def test_positions_that_do_not_exist_are_ignored(position: tuple[int, int]) -> None:
    plain = request(input="hi")

    marked = msgspec.structs.replace(plain, prompt_cache_breakpoints=[position])

    assert encode_request(marked) == encode_request(plain)


def test_only_content_objects_can_be_stamped() -> None:
    elements = [
        items.FunctionCallOutput(call_id="c", output="text"),
        items.CompactionTrigger(),
        msgspec.Raw(b"[1]"),
        items.Message.user(items.UnknownPart(b'"text"')),
        items.FunctionCallOutput(call_id="c", output=[items.InputText("hi")]),
    ]
    plain = request(input=elements)
    positions = [(index, 0) for index in range(len(elements))]

    marked = msgspec.structs.replace(plain, prompt_cache_breakpoints=positions)

    stamped = b'"output":[{"type":"input_text","text":"hi"' + STAMP + b"}]"
    assert encode_request(marked) == encode_request(plain).replace(
        b'"output":[{"type":"input_text","text":"hi"}]', stamped
    )


def test_stamping_leaves_the_typed_item_unchanged() -> None:
    message = items.Message.user("hi")

    encode_request(request(input=[message], prompt_cache_breakpoints=[(0, 0)]))

    assert message == items.Message.user("hi")


# --- order --------------------------------------------------------------------------------------

_ORDER = [
    "type",
    "model",
    "instructions",
    "previous_response_id",
    "input",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "store",
    "stream",
    "stream_options",
    "include",
    "service_tier",
    "prompt_cache_key",
    "prompt_cache_options",
    "text",
    "generate",
    "client_metadata",
]


@given(
    st.fixed_dictionaries(
        {},
        optional={name: st.just(getattr(FULL, name)) for name in _ORDER if hasattr(FULL, name)},
    ),
    st.none() | st.just("resp_1"),
    st.none() | st.booleans(),
)
def test_keys_never_change_their_order(
    changes: dict[str, Any],
    previous: str | None,
    generate: bool | None,  # noqa: FBT001  # drawn
) -> None:
    frame = encode_response_create(
        request(**changes), previous_response_id=previous, generate=generate
    )

    keys = [_ORDER.index(key) for key in msgspec.json.decode(frame)]
    assert all(before < after for before, after in pairwise(keys))


def test_a_request_for_one_whole_answer_does_not_speak_of_a_stream() -> None:
    whole, streamed = encode_request(LEAST, is_streamed=False), encode_request(LEAST)

    assert whole == streamed.replace(b'"stream":true,', b"")


def test_what_the_server_has_a_default_for_can_be_left_out() -> None:
    assert b'"include"' not in encode_request(request(include=msgspec.UNSET))


def test_a_stored_prompt_may_bring_the_whole_input() -> None:
    prompt = {"id": "pmpt_1"}

    assert b'"input"' not in encode_request(request(input=[], prompt=prompt))
    assert b'"input":[' + HI + b"]" in encode_request(request(input="hi", prompt=prompt))


def test_a_value_that_fails_only_once_is_an_error_all_the_same() -> None:
    asked: list[object] = []

    class Fickle(tzinfo):
        def utcoffset(self, when: datetime | None) -> timedelta:
            asked.append(when)
            if len(asked) == 1:
                message = "not now"
                raise ValueError(message)
            return timedelta(0)

        def dst(self, when: datetime | None) -> None:
            raise NotImplementedError

        def tzname(self, when: datetime | None) -> None:
            raise NotImplementedError

    tool = {"since": datetime(2026, 1, 1, tzinfo=Fickle())}

    with pytest.raises(RequestBuildError, match="the request cannot be encoded as JSON: not now"):
        encode_request(request(tools=[tool]))


def test_only_marked_items_are_encoded_alone() -> None:
    elements = [items.Message.user("hi"), items.CompactionTrigger(), items.Message.user("hi")]

    found = marked_items(
        elements, parts_by_item([(0, 0), (1, 0), (9, 0), (-1, 0)], len(elements)), keep_ids=False
    )

    assert {index: bytes(mark) for index, mark in found.items()} == {0: STAMPED_HI}
