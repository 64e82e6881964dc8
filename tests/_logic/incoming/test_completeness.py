from __future__ import annotations

import pytest

from codex_api import items
from codex_api._logic.incoming.completeness import cut_off_reason
from codex_api._logic.incoming.terminal import read_terminal
from codex_api.types.usage import TokenUsage

SAID = items.Message.assistant("Hi")
CUT = items.Message(role="assistant", content=[], status="incomplete")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"", "unknown"),
        (b'{"status":"queued"}', "unknown"),
        (b'{"status":"in_progress"}', "unknown"),
        (b'{"status":"completed"}', None),
        (b"{}", None),
    ],
)
def test_an_end_without_items_has_to_be_one(response: bytes, reason: str | None) -> None:
    terminal = read_terminal("response.completed", response)

    assert cut_off_reason([], None, terminal) == reason
    assert cut_off_reason([SAID], None, terminal) is None


def test_tokens_of_which_nothing_came_are_missing() -> None:
    assert cut_off_reason([], TokenUsage(output_tokens=3)) == "unknown"
    assert cut_off_reason([], TokenUsage(output_tokens=0)) is None
    assert cut_off_reason([SAID], TokenUsage(output_tokens=3)) is None


def test_a_message_may_say_that_it_is_cut() -> None:
    assert cut_off_reason([SAID, CUT], None) == "unknown"
