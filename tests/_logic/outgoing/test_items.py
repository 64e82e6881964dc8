from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from codex_api import items
from codex_api._logic.incoming.item_codec import decode_item, encode_item
from codex_api._logic.outgoing.items import prepare_items
from codex_api.transport.errors import RequestBuildError

WIRE = (Path(__file__).parents[3] / "vectors" / "items.jsonl").read_bytes().splitlines()

# --- ids ----------------------------------------------------------------------------------------

SERVER = [
    (
        (
            b'{"id":"msg_1","type":"message","status":"completed","content":[{"type":"output_text",'
            b'"annotations":[],"logprobs":[],"text":"x"}],"role":"assistant"}'
        ),
        b'{"type":"message","role":"assistant","content":[{"type":"output_text","text":"x"}]}',
        (
            b'{"type":"message","id":"msg_1","status":"completed","role":"assistant",'
            b'"content":[{"type":"output_text","text":"x","annotations":[],"logprobs":[]}]}'
        ),
    ),
    (
        (
            b'{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text",'
            b'"text":"x","annotations":[{"type":"url_citation"}]}]}'
        ),
        b'{"type":"message","role":"assistant","content":[{"type":"output_text","text":"x"}]}',
        (
            b'{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text",'
            b'"text":"x","annotations":[{"type":"url_citation"}]}]}'
        ),
    ),
    (
        b'{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"e"}',
        b'{"type":"reasoning","summary":[],"content":null,"encrypted_content":"e"}',
        b'{"type":"reasoning","id":"rs_1","summary":[],"content":null,"encrypted_content":"e"}',
    ),
    (
        (
            b'{"type":"function_call","id":"fc_1","status":"completed","name":"f","arguments":"",'
            b'"call_id":"c"}'
        ),
        b'{"type":"function_call","name":"f","arguments":"","call_id":"c"}',
        (
            b'{"type":"function_call","id":"fc_1","status":"completed","name":"f","arguments":"",'
            b'"call_id":"c"}'
        ),
    ),
    (
        (
            b'{"type":"custom_tool_call","id":"ctc_1","status":"completed","call_id":"c","name":"p",'
            b'"input":""}'
        ),
        b'{"type":"custom_tool_call","status":"completed","call_id":"c","name":"p","input":""}',
        (
            b'{"type":"custom_tool_call","id":"ctc_1","status":"completed","call_id":"c","name":"p",'
            b'"input":""}'
        ),
    ),
    (
        b'{"type":"web_search_call","id":"ws_1","status":"completed"}',
        b'{"type":"web_search_call","status":"completed"}',
        b'{"type":"web_search_call","id":"ws_1","status":"completed"}',
    ),
    (
        b'{"type":"image_generation_call","id":"ig_1","status":"in_progress"}',
        b'{"type":"image_generation_call","id":"ig_1","status":"in_progress"}',
        b'{"type":"image_generation_call","id":"ig_1","status":"in_progress"}',
    ),
]


@pytest.mark.parametrize(("received", "bare", "kept"), SERVER, ids=lambda wire: str(wire[:40]))
def test_server_extras_go_out_only_with_ids(received: bytes, bare: bytes, kept: bytes) -> None:
    item = decode_item(received)

    assert encode_item(item) == bare
    assert encode_item(item, keep_ids=True) == kept


@pytest.mark.parametrize("wire", WIRE, ids=lambda wire: str(wire[:48]))
def test_every_item_has_an_id_that_can_be_kept(wire: bytes) -> None:
    tag, _, rest = wire.partition(b",")
    marked = tag.removesuffix(b"}") + b',"id":"x_1"' + (b"," + rest if rest else b"}")
    if b'"id":"ig_1"' in wire:
        marked = wire.replace(b"ig_1", b"x_1")

    item = decode_item(marked)

    assert item.id == "x_1"
    assert encode_item(item, keep_ids=True) == marked
    if not isinstance(item, items.ImageGenerationCall):
        assert encode_item(item) == wire


@pytest.mark.parametrize("keep_ids", [False, True])
@pytest.mark.parametrize("wire", WIRE[:-1], ids=lambda wire: str(wire[:48]))
def test_an_empty_id_never_goes_out(wire: bytes, keep_ids: bool) -> None:  # noqa: FBT001  # a parameter of pytest
    item = decode_item(wire)
    assert not isinstance(item, items.UnknownItem)
    empty = msgspec.structs.replace(item, id="")

    encoded = encode_item(empty, keep_ids=keep_ids)

    assert b'"id"' not in encoded


# --- the reasoning quirk -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [[], [items.Text("t")], [items.UnknownPart(b'{"type":"later"}')]],
    ids=["empty", "text", "unknown"],
)
@pytest.mark.parametrize("id_", [None, "rs_1"])
def test_reasoning_content_without_reasoning_is_left_out(
    content: list[items.ReasoningPart], id_: str | None
) -> None:
    item = items.Reasoning(id=id_, summary=[], content=content, metadata={"turn_id": "t"})

    rest = b'"summary":[],"encrypted_content":null,"metadata":{"turn_id":"t"}}'
    assert encode_item(item) == b'{"type":"reasoning",' + rest
    kept = b'"id":"rs_1",' if id_ else b""
    assert encode_item(item, keep_ids=True) == b'{"type":"reasoning",' + kept + rest


def test_items_that_go_out_as_they_are_are_not_copied() -> None:
    item, raw = items.Message.user("a"), msgspec.Raw(b"{}")

    prepared = prepare_items([item, raw], keep_ids=False)

    assert prepared[0] is item
    assert prepared[1] is raw


def test_an_unknown_part_stays_when_ids_are_dropped() -> None:
    item = items.Message(
        id="msg_1",
        role="assistant",
        content=[
            items.OutputText("x", annotations=[{"type": "url_citation"}]),
            items.UnknownPart(b'{"type":"refusal"}'),
        ],
    )

    assert encode_item(item) == (
        b'{"type":"message","role":"assistant","content":[{"type":"output_text","text":"x"},'
        b'{"type":"refusal"}]}'
    )


def test_raw_items_may_be_given_as_bytes() -> None:
    item = items.UnknownItem("later", b'{"type":"later"}')  # type: ignore[arg-type]  # lenient

    assert encode_item(item) == b'{"type":"later"}'


@pytest.mark.parametrize("wrong", [3, "text", None, object(), items.InputText("x")])
def test_an_element_that_is_no_item_is_named_by_its_index(wrong: object) -> None:
    elements: list[object] = [items.Message.user("a"), wrong]

    with pytest.raises(RequestBuildError, match=r"input\[1\] must be an item, .* not "):
        prepare_items(elements, keep_ids=False)


@pytest.mark.parametrize("first", [items.CompactionTrigger(), msgspec.Raw(b"{}")])
def test_what_a_caller_writes_without_an_id_goes_out_as_written(first: object) -> None:
    message = items.Message(
        status="completed",
        role="assistant",
        content=[items.OutputText("x", annotations=[{"type": "url_citation"}])],
    )
    call = items.FunctionCall(status="completed", name="f", arguments="", call_id="c")

    prepared = prepare_items([first, message, call], keep_ids=False)

    assert prepared[1:] == [message, call]


def test_a_string_is_one_message_of_the_user() -> None:
    assert prepare_items("hi", keep_ids=True) == [items.Message.user("hi")]


# --- hosted items ------------------------------------------------------------------------------

HOSTED = (Path(__file__).parents[3] / "vectors" / "hosted_items.jsonl").read_bytes().splitlines()


@pytest.mark.parametrize("keep_ids", [False, True])
@pytest.mark.parametrize("wire", HOSTED, ids=lambda wire: str(wire[:48]))
def test_a_hosted_item_always_goes_out_with_its_id(wire: bytes, keep_ids: bool) -> None:  # noqa: FBT001  # a parameter of pytest
    item = decode_item(wire)
    assert not isinstance(item, items.UnknownItem)
    named = msgspec.structs.replace(item, id="x_1")

    encoded = msgspec.json.decode(encode_item(named, keep_ids=keep_ids))

    assert encoded == {**msgspec.json.decode(wire), "id": "x_1"}


def test_a_hosted_item_goes_out_without_an_empty_id() -> None:
    item = items.McpApprovalRequest(id="", server_label="s", name="n", arguments="{}")

    assert b'"id"' not in encode_item(item)


def test_a_part_is_no_item() -> None:
    with pytest.raises(RequestBuildError, match=r"input\[0\] must be an item"):
        prepare_items([items.McpTool(name="n", input_schema={})], keep_ids=False)
