from __future__ import annotations

from typing import Any

import msgspec
import pytest

from codex_api import ResponsesApiRequest, items, tools
from codex_api._logic.outgoing.body import encode_request


def test_what_is_not_set_is_left_out_and_none_is_null() -> None:
    tool = tools.WebSearch(filters=None, search_context_size="low")

    encoded = msgspec.json.encode(tool)

    assert encoded == b'{"type":"web_search","filters":null,"search_context_size":"low"}'


def test_async_is_a_key_though_it_is_no_name() -> None:
    assert msgspec.to_builtins(tools.CustomTool(name="c", async_=True)) == {
        "type": "custom",
        "name": "c",
        "async": True,
    }


def test_a_request_takes_tools_of_every_form() -> None:
    raw = msgspec.Raw(b'{"type":"computer"}')
    request = ResponsesApiRequest(
        model="m",
        input=[{"role": "user", "content": "hi"}, items.Message.user("yes")],
        tools=[tools.LocalShell(), {"type": "x"}, raw],
        tool_choice=tools.AllowedTools(tools=[{"type": "x"}]),
    )

    body = msgspec.json.decode(encode_request(request))

    assert body["tools"] == [{"type": "local_shell"}, {"type": "x"}, {"type": "computer"}]
    assert body["tool_choice"] == {
        "type": "allowed_tools",
        "tools": [{"type": "x"}],
        "mode": "auto",
    }
    assert body["input"][0] == {"role": "user", "content": "hi"}


def test_credentials_of_an_mcp_server_are_not_shown() -> None:
    tool = tools.Mcp(server_label="s", authorization="s3cret", headers={"x": "s3cret"})

    assert "s3cret" not in repr(tool)
    assert "server_label='s'" in repr(tool)


@pytest.mark.parametrize(
    ("tool", "chosen"),
    [
        ("file_search", {"type": "file_search"}),
        (tools.FunctionTool(name="f"), {"type": "function", "name": "f"}),
        (tools.CustomTool(name="c"), {"type": "custom", "name": "c"}),
        (tools.Mcp(server_label="s"), {"type": "mcp", "server_label": "s"}),
        (tools.Shell(), {"type": "shell"}),
        ({"type": "function", "name": "f", "strict": True}, {"type": "function", "name": "f"}),
    ],
)
def test_one_tool_can_be_forced(tool: Any, chosen: dict[str, str]) -> None:
    assert tools.choose(tool) == chosen


def test_what_is_no_tool_cannot_be_chosen() -> None:
    with pytest.raises(TypeError, match="not int"):
        tools.choose(3)  # type: ignore[arg-type]
