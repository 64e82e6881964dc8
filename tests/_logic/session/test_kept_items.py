from __future__ import annotations

import pytest

from codex_api._logic.session.kept_items import Kept, split
from codex_api.items import (
    FunctionCall,
    Message,
    Reasoning,
    ResponseItem,
    ToolSearchCall,
    WebSearchCall,
)

TEXT = Message.assistant("so far")
THOUGHT = Reasoning(summary=[])
CALL = FunctionCall(name="f", arguments="{}", call_id="c1")
OTHER_CALL = FunctionCall(name="g", arguments="{}", call_id="c2")
SEARCH = WebSearchCall(status="completed")
OWN_TOOL_SEARCH = ToolSearchCall(execution="client", arguments={}, call_id="c3")
SERVER_TOOL_SEARCH = ToolSearchCall(execution="server", arguments={}, call_id="c3")


@pytest.mark.parametrize(
    ("items", "answered", "kept"),
    [
        pytest.param([], [], Kept(0, None), id="nothing"),
        pytest.param([TEXT], [], Kept(1, None), id="message"),
        pytest.param([THOUGHT, TEXT], [], Kept(2, None), id="reasoning-with-its-message"),
        pytest.param([TEXT, THOUGHT], [], Kept(1, None), id="reasoning-alone"),
        pytest.param([THOUGHT, THOUGHT], [], Kept(0, None), id="only-reasoning"),
        pytest.param([THOUGHT, CALL], [], Kept(0, CALL), id="call-without-output"),
        pytest.param([THOUGHT, CALL], ["c1"], Kept(2, None), id="call-with-output"),
        pytest.param([CALL, OTHER_CALL], ["c1"], Kept(1, OTHER_CALL), id="one-output-of-two-calls"),
        pytest.param([CALL, OTHER_CALL], [], Kept(0, CALL), id="two-calls-without-output"),
        pytest.param([CALL, OTHER_CALL], ["c2"], Kept(0, CALL), id="output-of-the-later-call"),
        pytest.param([SEARCH, TEXT], [], Kept(2, None), id="search-of-the-server"),
        pytest.param([OWN_TOOL_SEARCH], [], Kept(0, OWN_TOOL_SEARCH), id="tool-search-of-ours"),
        pytest.param([SERVER_TOOL_SEARCH], [], Kept(1, None), id="tool-search-of-the-server"),
    ],
)
def test_complete_items_are_kept_up_to_the_first_open_call(
    items: list[ResponseItem], answered: list[str], kept: Kept
) -> None:
    assert split(items, answered) == kept
