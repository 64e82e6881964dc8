from __future__ import annotations

import pickle

import msgspec
import pytest

from codex_api import items


def test_a_user_message_takes_texts_parts_and_an_image() -> None:
    message = items.Message.user("a", items.InputText("b"), image_url="u", image_detail="low")

    assert message.role == "user"
    assert message.content == [
        items.InputText("a"),
        items.InputText("b"),
        items.InputImage("u", "low"),
    ]


def test_an_assistant_message_holds_output_text() -> None:
    message = items.Message.assistant("a", phase="commentary")

    assert (message.role, message.phase) == ("assistant", "commentary")
    assert message.content == [items.OutputText("a")]


def test_developer_and_system_messages_hold_input_text() -> None:
    assert items.Message.developer("a") == items.Message(
        role="developer", content=[items.InputText("a")]
    )
    assert items.Message.system("a").role == "system"


def test_the_text_of_a_message_leaves_other_parts_out() -> None:
    message = items.Message.user(
        "a", items.InputImage("u"), items.OutputText("b"), items.UnknownPart(b"{}")
    )

    assert message.text == "ab"


def test_a_text_without_a_direction_is_text_of_its_message() -> None:
    raw = (
        b'{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"},'
        b'{"type":"text","text":"b"},{"type":"refusal","refusal":"c"}]}'
    )

    message = items.decode_item(raw)

    assert isinstance(message, items.Message)
    assert message.text == "ab"
    assert message.content[1] == items.Text("b")
    assert items.encode_item(message) == raw


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([items.InputText("a"), items.InputText("b")], "a\nb"),
        ([items.InputText("a"), items.EncryptedContent("e")], None),
        ([items.InputText(" "), items.InputText("")], None),
        ([], None),
        ([items.InputText("a"), items.UnknownPart(b"{}")], "a"),
    ],
)
def test_the_text_of_an_agent_message(
    content: list[items.AgentContentPart], text: str | None
) -> None:
    assert items.AgentMessage(author="a", recipient="b", content=content).text == text


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("done", "done"),
        ("", ""),
        ([items.InputText("a"), items.InputText(" "), items.InputText("b")], "a\nb"),
        ([items.InputImage("u")], None),
        ([items.InputText("  ")], None),
        ([items.EncryptedContent("e"), items.UnknownPart(b"{}")], None),
        ([], None),
    ],
)
def test_the_text_of_a_tool_output(output: str | list[items.OutputPart], text: str | None) -> None:
    assert items.FunctionCallOutput(call_id="c", output=output).text == text
    assert items.CustomToolCallOutput(call_id="c", output=output).text == text


def test_the_summary_of_reasoning_as_text() -> None:
    item = items.Reasoning(summary=[items.SummaryText("a"), items.SummaryText("b")])

    assert item.summary_text == "a\n\nb"


def test_an_unknown_item_can_be_made_and_read() -> None:
    item = items.UnknownItem.of({"type": "later", "id": "x_1", "n": 1})

    assert item.type == "later"
    assert item.id == "x_1"
    assert item.value == {"type": "later", "id": "x_1", "n": 1}


@pytest.mark.parametrize("raw", [b"[]", b"{}", b'{"id":7}', b'"id"'])
def test_an_unknown_item_may_have_no_id(raw: bytes) -> None:
    assert items.UnknownItem("", msgspec.Raw(raw)).id is None


def test_items_are_frozen_and_pickle() -> None:
    message = items.Message.user("a", items.UnknownPart(b'{"type":"later"}'))

    with pytest.raises(AttributeError):
        message.role = "system"  # type: ignore[misc]  # what is tested
    assert pickle.loads(pickle.dumps(message)) == message  # noqa: S301  # our own bytes
    unknown = items.UnknownItem.of({"type": "later"})
    assert pickle.loads(pickle.dumps(unknown)) == unknown  # noqa: S301  # as above
