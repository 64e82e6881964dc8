from __future__ import annotations

from codex_api.testing.server.kept_items import kept


def test_a_short_message_is_kept_in_its_long_form() -> None:
    assert kept({"role": "user", "content": "hi"}, lambda prefix: f"{prefix}_1") == {
        "id": "msg_1",
        "type": "message",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": "hi"}],
    }


def test_text_of_an_assistant_is_output() -> None:
    item = kept({"role": "assistant", "content": "hi"}, lambda prefix: f"{prefix}_1")

    assert item["content"] == [{"type": "output_text", "text": "hi", "annotations": []}]


def test_an_id_stays_and_others_are_named_by_type() -> None:
    call = {"type": "function_call", "id": "x", "name": "f", "arguments": "{}", "call_id": "c"}
    output = {"type": "function_call_output", "call_id": "c", "output": "1"}

    assert kept(call, str) == call
    assert kept(output, str)["id"] == "fco"
    assert kept({"type": "shell_call"}, str) == {"id": "item", "type": "shell_call"}
