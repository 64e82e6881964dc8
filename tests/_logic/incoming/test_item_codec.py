from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_api import items
from codex_api._logic.incoming.item_codec import decode_item, decode_items, encode_item, wire_items
from codex_api.transport.errors import RequestBuildError
from codex_api.types.part_list import PartList

# Every known type, a line each, in the exact form in which a request carries it.
VECTORS = Path(__file__).parents[3] / "vectors"
HOSTED = (VECTORS / "hosted_items.jsonl").read_bytes().splitlines()
WIRE = (VECTORS / "items.jsonl").read_bytes().splitlines() + HOSTED


@pytest.mark.parametrize("wire", WIRE, ids=lambda wire: str(wire[:48]))
def test_a_known_item_comes_back_byte_for_byte(wire: bytes) -> None:
    item = decode_item(wire)

    assert not isinstance(item, items.UnknownItem)
    assert encode_item(item) == wire
    assert encode_item(item, keep_ids=True) == wire


@pytest.mark.parametrize("wire", WIRE, ids=lambda wire: str(wire[:48]))
def test_unknown_keys_of_a_known_item_go_back_out_in_their_place(wire: bytes) -> None:
    first = b'{"later":{"a":[1e3]},' + wire[1:]
    last = wire[:-1] + b',"later":{"a":[1e3]}}'

    for extended in (first, last):
        item = decode_item(extended)
        assert type(item) is type(decode_item(wire))
        assert not isinstance(item, items.UnknownItem)
        assert item.extra == items.Extra({"later": b'{"a":[1e3]}'})
        assert encode_item(item, keep_ids=True) == extended


@pytest.mark.parametrize(
    "wire",
    [
        b'{"type":"message","role":"user","content":[{"type":"input_text","text":"a","later":1.0}]}',
        (
            b'{"content":[{"annotations":[],"text":"a","type":"output_text","later":2}],"role":"assistant",'
            b'"id":"m","type":"message","status":"completed","extra":{"(extra)":1}}'
        ),
        b'{"type":"message","content":[{"type":"output_text","text":"hi"}]}',
        b'{"type":"message","role":1,"content":[]}',
        b'{"type":"message","role":"user","content":"text"}',
        (
            b'{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a",'
            b'"annotations":"none","logprobs":7}]}'
        ),
        b'{"type":"reasoning","content":[{"type":"reasoning_text","text":"Thinking"}]}',
        b'{"type":"reasoning","summary":"short","content":"long"}',
        b'{"type":"function_call","id":5,"call_id":"c","name":"f","arguments":{"a":1}}',
        b'{"type":"function_call","call_id":"c","name":"f","status":["odd"],"arguments":null}',
        b'{"type":"function_call","call_id":"c","name":"f","arguments":"{}","caller":"odd"}',
        b'{"type":"function_call_output","call_id":"c","output":{"a":1}}',
        (
            b'{"type":"custom_tool_call_output","call_id":"c","output":[{"type":"input_audio",'
            b'"input_audio":{"data":"AA==","format":"wav"},"later":[]}]}'
        ),
        (
            b'{"type":"local_shell_call","call_id":"c","status":"x","action":{"type":"exec","command":["ls"],'
            b'"later":1,"timeout_ms":null}}'
        ),
        (
            b'{"type":"web_search_call","action":{"type":"search","query":"q","sources":[{"url":"u"}],'
            b'"later":true}}'
        ),
        b'{"type":"web_search_call","action":["odd"]}',
        b'{"type":"web_search_call","status":"completed","action":{"type":"search","query":7}}',
        b'{"type":"image_generation_call","id":"i","status":"completed","quality":3,"result":"AA=="}',
        b'{"type":"tool_search_call","call_id":"c"}',
        b'{"type":"tool_search_output","call_id":"c","status":"x","execution":"y"}',
        b'{"type":"compaction_trigger","metadata":"odd"}',
    ],
    ids=lambda wire: str(wire[:60]),
)
def test_an_odd_field_costs_only_itself(wire: bytes) -> None:
    item = decode_item(wire)

    assert not isinstance(item, items.UnknownItem)
    assert encode_item(item, keep_ids=True) == wire
    assert decode_item(encode_item(item, keep_ids=True)) == item
    assert pickle.loads(pickle.dumps(item)) == item  # noqa: S301 - our own bytes


def test_odd_fields_have_a_stand_in_that_can_be_read() -> None:
    call = decode_item(b'{"type":"function_call","call_id":"c","name":"f","arguments":{"a": 1}}')
    said = decode_item(b'{"type":"message","content":"hi"}')
    thought = decode_item(b'{"type":"reasoning","content":[{"type":"reasoning_text","text":"T"}]}')

    assert isinstance(call, items.FunctionCall)
    assert msgspec.json.decode(call.arguments) == {"a": 1}
    assert isinstance(said, items.Message)
    assert (said.role, said.text) == ("assistant", "hi")
    assert isinstance(thought, items.Reasoning)
    assert (list(thought.summary), thought.content) == ([], [items.ReasoningText("T")])


def test_what_replaces_a_stand_in_goes_out() -> None:
    call = decode_item(b'{"arguments":{"a":1},"type":"function_call","call_id":"c","name":"f"}')
    said = decode_item(b'{"type":"message","content":[],"later":1}')

    changed = msgspec.structs.replace(call, arguments="{}")
    with_role = msgspec.structs.replace(said, role="user")

    assert (
        encode_item(changed)
        == b'{"arguments":"{}","type":"function_call","call_id":"c","name":"f"}'
    )
    assert encode_item(with_role) == b'{"type":"message","content":[],"later":1,"role":"user"}'


def test_keys_of_the_caller_go_out_after_those_of_the_class() -> None:
    part = items.InputText("a", extra=items.Extra.of({"later": [1]}))
    message = items.Message(role="user", content=[part], extra=items.Extra({"x": b"1.50"}))

    assert encode_item(message) == (
        b'{"type":"message","role":"user",'
        b'"content":[{"type":"input_text","text":"a","later":[1]}],"x":1.50}'
    )


def test_what_the_server_adds_stays_behind_with_the_id_though_it_is_odd() -> None:
    wire = (
        b'{"type":"message","id":7,"status":{"odd":1},"role":"assistant","content":[{"type":'
        b'"output_text","text":"a","annotations":1,"logprobs":[],"later":2}],"more":3}'
    )

    assert encode_item(decode_item(wire)) == (
        b'{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a",'
        b'"later":2}],"more":3}'
    )


def test_an_empty_list_of_annotations_goes_and_stays_with_the_id() -> None:
    wire = (
        b'{"type":"message","id":"m","status":"completed","role":"assistant","content":'
        b'[{"type":"output_text","text":"Hi!","annotations":[]}]}'
    )
    item = decode_item(wire)

    assert encode_item(item, keep_ids=True) == wire
    assert b"annotations" not in encode_item(item)


def test_extra_fields_are_a_mapping_that_can_be_hashed_and_shown() -> None:
    extra = items.Extra({"a": b"1", "b": "2"}, ("b", "a"))

    assert dict(extra) == {"a": msgspec.Raw(b"1"), "b": msgspec.Raw(b"2")}
    assert hash(extra) == hash(items.Extra({"b": b"2", "a": b"1"}))
    assert repr(extra) == "Extra({'a': b'1', 'b': b'2'})"
    assert len(extra) == 2


def test_a_plain_encoder_refuses_extra_fields_rather_than_dropping_them() -> None:
    item = decode_item(b'{"type":"compaction_trigger","later":1}')

    with pytest.raises(TypeError, match="encode_item"):
        msgspec.json.encode(item, enc_hook=items.encode_unknown)


def test_the_class_of_an_item_is_its_camel_cased_type() -> None:
    for wire in WIRE:
        item = decode_item(wire)
        assert type(item).__name__ == item.type.title().replace("_", "")


def test_an_unknown_item_goes_back_out_as_it_came() -> None:
    wire = b'{ "type" : "hologram", "x": 1.50, "x": 2 }'

    item = decode_item(wire)

    assert isinstance(item, items.UnknownItem)
    assert item.type == "hologram"
    assert bytes(item.raw) == wire
    assert encode_item(item) == wire


@pytest.mark.parametrize(
    ("wire", "type_"),
    [
        (b'{"type":"function_call","name":"f","arguments":"{}"}', "function_call"),
        (b'{"type":"local_shell_call","status":"x"}', "local_shell_call"),
        (b'{"type":"local_shell_call","status":"x","action":7}', "local_shell_call"),
        (b'{"type":"local_shell_call","status":"x","action":{"type":"fly"}}', "local_shell_call"),
        (b'{"type":"compaction_summary"}', "compaction_summary"),
        (b'{"type":7}', ""),
        (b'{"no":"type"}', ""),
        (b"[1]", ""),
        (b"null", ""),
        (b'"message"', ""),
    ],
)
def test_an_item_that_does_not_fit_its_type_keeps_its_raw_form(wire: bytes, type_: str) -> None:
    item = decode_item(wire)

    assert item == items.UnknownItem(type_, msgspec.Raw(wire))
    assert encode_item(item) == wire


def test_what_is_not_json_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_item(b'{"type":"message"')


@pytest.mark.parametrize(
    "data",
    [
        b'\n"type":"message"}',
        b'{"type":3,"later":}',
        b'{"type":"message","role":"\xff","content":[]}',
        b"[" * 100_000,
    ],
    ids=["text first", "wrong type first", "no UTF-8", "too deep"],
)
def test_an_item_that_no_decoder_reads_is_an_error_of_the_same_class(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_item(data)


def test_compaction_summary_is_another_name_of_compaction() -> None:
    item = decode_item(b'{"type":"compaction_summary","encrypted_content":"e"}')

    assert item == items.Compaction(encrypted_content="e")


@pytest.mark.parametrize(
    ("before", "part", "after"),
    [
        (
            b'{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"},',
            b'{"type":"refusal", "refusal":"no"}',
            b"]}",
        ),
        (b'{"type":"message","role":"user","content":[', b'{"type":"input_file"}', b"]}"),
        (b'{"type":"message","role":"user","content":[', b'{"type":"input_image"}', b"]}"),
        (b'{"type":"message","role":"user","content":[', b'"text"', b"]}"),
        (
            b'{"type":"message","role":"user","content":[',
            b"null",
            b',{"type":"input_text","text":"b"}]}',
        ),
        (
            b'{"type":"agent_message","author":"a","recipient":"b","content":[',
            b'{"type":"input_image","image_url":"u"}',
            b"]}",
        ),
        (
            b'{"type":"reasoning","summary":[',
            b'{"type":"later"}',
            b'],"content":null,"encrypted_content":null}',
        ),
        (
            b'{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"t"},',
            b'{"type":"later"}',
            b'],"encrypted_content":null}',
        ),
        (b'{"type":"function_call_output","call_id":"c","output":[', b'{"type":"video"}', b"]}"),
        (b'{"type":"custom_tool_call_output","call_id":"c","output":[', b"{}", b"]}"),
        (b'{"type":"web_search_call","action":', b'{"type":"zoom","by":2}', b"}"),
    ],
)
def test_an_unknown_part_never_costs_the_item_around_it(
    before: bytes, part: bytes, after: bytes
) -> None:
    wire = before + part + after

    item = decode_item(wire)

    assert not isinstance(item, items.UnknownItem)
    assert f"({part!r})" in repr(item)
    assert encode_item(item) == wire


def test_raw_forms_do_not_keep_a_larger_buffer_alive() -> None:
    outer = msgspec.json.decode(
        b'{"padding":"' + b"x" * 100 + b'","item":{"type":"later"}}', type=dict[str, msgspec.Raw]
    )

    item = decode_item(outer["item"])

    assert isinstance(item, items.UnknownItem)
    assert memoryview(item.raw).obj is not memoryview(outer["item"]).obj


def test_one_bad_element_costs_only_itself() -> None:
    decoded = decode_items([WIRE[0], b"3", WIRE[1]])

    assert [type(item).__name__ for item in decoded] == ["Message", "UnknownItem", "Message"]


def test_a_value_without_a_json_form_is_named_by_its_index() -> None:
    bad = items.ToolSearchCall(execution="client", arguments=object())

    with pytest.raises(RequestBuildError, match=r"input\[1\] cannot be encoded as JSON: .*object"):
        wire_items([items.CompactionTrigger(), bad])


def test_a_string_is_one_message_of_the_user() -> None:
    assert wire_items("hi") == msgspec.Raw(
        b'[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}]'
    )


# --- properties ---------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
_TAGS = sorted({msgspec.json.decode(wire)["type"] for wire in WIRE} | {"compaction_summary", "x"})
_FIELDS = sorted({key for wire in WIRE for key in msgspec.json.decode(wire)} - {"type"})
_PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "output_text", "reasoning_text", "refusal"])},
    optional={"text": st.text(max_size=4), "annotations": _JSON, "detail": _JSON},
)


@example("reasoning", {"content": []})
@example("reasoning", {"content": [], "summary": None, "later": 1})
@given(
    st.sampled_from(_TAGS),
    st.dictionaries(st.sampled_from(_FIELDS), _JSON | st.lists(_PARTS, max_size=3), max_size=5),
)
def test_whatever_a_server_sends_is_decoded_and_settles_after_one_round(
    tag: str, fields: dict[str, object]
) -> None:
    wire = msgspec.json.encode({"type": tag, **fields})

    item = decode_item(wire)
    encoded = encode_item(item, keep_ids=True)

    assert encode_item(decode_item(encoded), keep_ids=True) == encoded
    if isinstance(item, items.UnknownItem):
        assert encoded == wire


@given(st.sampled_from(WIRE), st.data())
def test_any_json_value_in_any_field_loses_nothing_else(wire: bytes, data: st.DataObject) -> None:
    fields = msgspec.json.decode(wire)
    name = data.draw(st.sampled_from(sorted(fields)))
    fields[name] = data.draw(_JSON)
    changed = msgspec.json.encode(fields)

    item = decode_item(changed)

    if isinstance(item, items.UnknownItem):
        assert encode_item(item) == changed
    else:
        again = msgspec.json.decode(encode_item(item, keep_ids=True))
        unchanged = {key: value for key, value in fields.items() if key != name}
        assert unchanged.items() <= again.items() or name == "content"


@given(st.binary(max_size=40))
def test_garbage_is_an_item_or_no_json(data: bytes) -> None:
    try:
        item = decode_item(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return

    assert encode_item(item) == data


def test_a_large_item_with_unknown_parts_comes_back_byte_for_byte() -> None:
    parts = b",".join([b'{"type":"refusal","refusal":"no"}'] * 20_000)
    wire = b'{"type":"message","role":"assistant","content":[' + parts + b"]}"

    item = decode_item(wire)

    assert encode_item(item) == wire


@pytest.mark.parametrize(
    ("item", "lists"),
    [
        (
            (
                b'{"type":"message","role":"assistant","content":'
                b'[{"type":"output_text","text":"a","annotations":[],"logprobs":[]}]}'
            ),
            lambda item: [item.content, item.content[0].annotations, item.content[0].logprobs],
        ),
        (
            b'{"type":"reasoning","summary":[{"type":"summary_text","text":"a"}],"content":[]}',
            lambda item: [item.summary, item.content],
        ),
        (
            b'{"type":"function_call_output","call_id":"c","output":[]}',
            lambda item: [item.output],
        ),
    ],
)
def test_the_lists_of_items_tell_of_their_changes(item: bytes, lists: Any) -> None:
    found = lists(decode_item(item))

    assert {type(parts) for parts in found} == {PartList}


def test_a_text_stays_a_text_and_no_list_none() -> None:
    assert decode_item(b'{"type":"function_call_output","call_id":"c","output":"o"}').output == "o"  # type: ignore[union-attr]  # a part of it
    assert decode_item(b'{"type":"reasoning","summary":[]}').content is None  # type: ignore[union-attr]  # as above
