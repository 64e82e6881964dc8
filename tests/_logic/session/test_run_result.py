from __future__ import annotations

import pytest

from codex_api._logic.incoming.collect import CollectedResponse
from codex_api._logic.session.run_result import RunResult
from codex_api.errors import DecodeError
from codex_api.items import Message

SAID = CollectedResponse(items=[Message.assistant("[1, 2]")], text="[1, 2]")


def test_a_run_gives_what_was_said_last() -> None:
    result = RunResult(responses=[CollectedResponse(text="first"), SAID])

    assert result.text == "[1, 2]"
    assert result.parse(list[int]) == [1, 2]


def test_a_run_that_was_never_answered_says_nothing() -> None:
    assert RunResult().text == ""
    with pytest.raises(DecodeError, match="no response"):
        RunResult().parse(list[int])
