from __future__ import annotations

import pickle

import msgspec
import pytest

from codex_api import items


def test_an_approval_is_asked_for_and_given() -> None:
    asked = items.McpApprovalRequest(id="r_1", server_label="s", name="n", arguments="{}")

    assert asked.approved() == items.McpApprovalResponse(approval_request_id="r_1", approve=True)
    assert asked.denied(reason="no") == items.McpApprovalResponse(
        approval_request_id="r_1", approve=False, reason="no"
    )


@pytest.mark.parametrize(
    "wire",
    [
        b'{"type":"mcp_call","server_label":"s","name":"n","arguments":"{}","error":"of old"}',
        b'{"type":"computer_call","call_id":"c","action":{"type":"later","x":1}}',
        b'{"type":"computer_call","call_id":"c","action":{"type":"wait","later":[1]},"later":2}',
        (
            b'{"type":"shell_call_output","call_id":"c","output":[{"stdout":"","stderr":"",'
            b'"outcome":{"type":"signal","number":9}},{"later":1},"odd"]}'
        ),
        b'{"type":"file_search_call","queries":["q"],"results":[{"file_id":"f","later":1.0}]}',
        b'{"type":"file_search_call","queries":"q"}',
    ],
)
def test_an_odd_hosted_item_keeps_its_class_and_all_that_came(wire: bytes) -> None:
    item = items.decode_item(wire)

    assert not isinstance(item, items.UnknownItem)
    assert items.encode_item(item) == wire


def test_what_a_hosted_item_holds_is_typed() -> None:
    item = items.decode_item(
        b'{"type":"shell_call_output","call_id":"c","output":[{"stdout":"a","stderr":"",'
        b'"outcome":{"type":"exit","exit_code":1},"later":1},{"stdout":"b","stderr":"",'
        b'"outcome":{"type":"signal"}}]}'
    )

    assert isinstance(item, items.ShellCallOutput)
    first, second = item.output
    assert isinstance(first, items.ShellOutput)
    assert first.outcome == items.Exit(1)
    assert first.extra == items.Extra({"later": b"1"})
    assert isinstance(second, items.ShellOutput)
    assert second.outcome == items.UnknownPart(b'{"type":"signal"}')


def test_a_hosted_item_without_its_call_is_unknown() -> None:
    assert isinstance(
        items.decode_item(b'{"type":"shell_call","action":{"commands":[]}}'), items.UnknownItem
    )


def test_hosted_items_pickle() -> None:
    item = items.ApplyPatchCall(
        call_id="c", status="completed", operation=items.UpdateFile(path="a", diff="d")
    )

    assert pickle.loads(pickle.dumps(item)) == item  # noqa: S301  # our own bytes


def test_a_refusal_is_read_and_goes_back_as_it_came() -> None:
    wire = b'{"type":"message","role":"assistant","content":[{"refusal":"no", "type":"refusal"}]}'

    item = items.decode_item(wire)

    assert isinstance(item, items.Message)
    match item.content[0]:
        case items.Refusal(text):
            assert text == "no"
        case _:
            pytest.fail("a refusal is a refusal")
    assert items.encode_item(item) == wire
    assert items.Refusal.saying("no").refusal == "no"
    assert items.Refusal(b'{"type":"refusal"}').refusal == ""
    assert items.Refusal(b'{"type":"refusal","refusal":7}').refusal == ""
    part = items.Refusal.saying("no")
    assert pickle.loads(pickle.dumps(part)) == part  # noqa: S301  # our own bytes
    assert type(pickle.loads(pickle.dumps(part))) is items.Refusal  # noqa: S301  # as above


def test_a_file_is_given_by_id_address_or_content() -> None:
    by_id = items.InputFile.by_id("f_1", detail="low")
    by_url = items.InputFile.by_url("https://a.example/b.pdf")
    held = items.InputFile.holding(b"abc", "b.pdf")

    assert by_id.value == {"type": "input_file", "detail": "low", "file_id": "f_1"}
    assert (by_id.file_id, by_id.detail, by_id.file_url) == ("f_1", "low", None)
    assert (by_url.file_url, by_url.file_data) == ("https://a.example/b.pdf", None)
    assert held.filename == "b.pdf"
    assert held.file_data == "data:application/pdf;base64,YWJj"
    message = items.Message.user("read", by_id)
    decoded = items.decode_item(items.encode_item(message))
    assert decoded == message
    assert isinstance(decoded, items.Message)
    assert isinstance(decoded.content[1], items.InputFile)


def test_an_image_has_an_address_or_a_file() -> None:
    image = items.InputImage(file_id="f_1", detail="high")

    assert msgspec.json.encode(image) == b'{"type":"input_image","detail":"high","file_id":"f_1"}'
    with pytest.raises(ValueError, match="needs an image_url or a file_id"):
        items.InputImage()
