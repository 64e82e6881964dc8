"""Which tools the model calls, and with what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from codex_api.testing.server.arguments import (
    custom_input,
    function_arguments,
    named_at,
    said_after,
)
from codex_api.testing.server.items import item_type
from codex_api.testing.server.plan import Call

if TYPE_CHECKING:
    from codex_api.testing.server.validation import ResponseRequest
    from codex_api.testing.wire import JsonObject

_WANTS_TOOL = re.compile(r"\b(call|use|run|invoke)\b.{0,40}\btools?\b", re.IGNORECASE | re.DOTALL)


def offered_tools(request: ResponseRequest) -> list[tuple[str, JsonObject, str | None]]:
    """Return name, definition and namespace of each tool that can be called."""
    groups: list[tuple[list[JsonObject], str | None]] = [(request.tools, None)]
    groups += [
        (item["tools"], None) for item in request.input if item_type(item) == "additional_tools"
    ]
    found: list[tuple[str, JsonObject, str | None]] = []
    while groups:
        tools, namespace = groups.pop(0)
        for tool in tools:
            if tool.get("type") == "namespace":
                groups.append((tool.get("tools") or [], tool["name"]))
            elif tool.get("type") in {"function", "custom"}:
                found.append((tool["name"], tool, namespace))
    return found


def calls(request: ResponseRequest, prompt: str) -> list[Call]:
    """Return the calls that ``prompt`` and ``tool_choice`` ask for."""
    tools = offered_tools(request)
    choice = request.body.get("tool_choice") or "auto"
    if not tools or choice == "none":
        return []
    if isinstance(choice, dict):
        wanted = [tool for tool in tools if tool[0] == request.section("tool_choice").get("name")]
    else:
        wanted = [tool for tool in tools if named_at(tool[0], prompt)]
        if not wanted and (choice == "required" or _WANTS_TOOL.search(prompt)):
            wanted = tools[:1]
    if request.body.get("parallel_tool_calls") is False:
        wanted = wanted[:1]
    names = [name for name, _, _ in wanted]
    return [
        _call(name, tool, namespace, said_after(name, prompt, [n for n in names if n != name]))
        for name, tool, namespace in wanted
    ]


def _call(name: str, tool: JsonObject, namespace: str | None, said: str) -> Call:
    if tool["type"] == "custom":
        return Call(name, custom_input(name, said), is_custom=True, namespace=namespace)
    schema: JsonObject = tool.get("parameters") or {"type": "object"}
    return Call(name, function_arguments(schema, said), namespace=namespace)
