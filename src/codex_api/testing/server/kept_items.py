"""Items as a server keeps them: whole, and each with an id of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_api.testing.server.items import item_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.testing.wire import JsonObject

_PREFIXES: Final = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "compaction": "cmp",
    "code_interpreter_call": "ci",
    "file_search_call": "fs",
    "image_generation_call": "ig",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcpa",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcpl",
    "web_search_call": "ws",
}


def kept(item: JsonObject, new_id: Callable[[str], str]) -> JsonObject:
    """Return an item as it is kept; one that has an id already stays as it is."""
    kind = item_type(item)
    found = {"id": new_id(_PREFIXES.get(kind, "item")), **item, "type": kind}
    if kind == "message":
        found.setdefault("status", "completed")
        if isinstance(found["content"], str):
            found["content"] = [_text_part(found["role"], found["content"])]
    return found


def _text_part(role: str, text: str) -> JsonObject:
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": []}
    return {"type": "input_text", "text": text}
