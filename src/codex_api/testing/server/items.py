"""Which items a request may carry, and how a conversation of them must hang together."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from codex_api.testing.server.checks import (
    as_object,
    as_objects,
    non_empty,
    one_of,
    optional,
    required,
)
from codex_api.testing.server.problems import RequestProblem, invalid_type, invalid_value, missing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from codex_api.testing.wire import JsonObject

ROLES = frozenset({"user", "assistant", "system", "developer"})

# Required fields with their JSON types, per item type.
_REQUIRED: dict[str, dict[str, type]] = {
    "message": {"role": str},
    "agent_message": {"author": str, "recipient": str, "content": list},
    "reasoning": {"summary": list},
    "local_shell_call": {"action": dict},
    "local_shell_call_output": {"output": str},
    "function_call": {"name": str, "arguments": str, "call_id": str},
    # A call is named by its id, or is the only one.
    "function_call_output": {},
    "custom_tool_call": {"name": str, "input": str, "call_id": str},
    "custom_tool_call_output": {"call_id": str},
    "tool_search_call": {},
    "tool_search_output": {"tools": list},
    "web_search_call": {},
    "image_generation_call": {"status": str, "result": str},
    "compaction": {"encrypted_content": str},
    "compaction_summary": {"encrypted_content": str},
    "compaction_trigger": {},
    "context_compaction": {},
    "additional_tools": {"role": str, "tools": list},
    "item_reference": {"id": str},
    # Known to the public API, and taken as they are.
    **{
        kind: {}
        for kind in (
            "apply_patch_call",
            "apply_patch_call_output",
            "code_interpreter_call",
            "computer_call",
            "computer_call_output",
            "configuration_update",
            "file_search_call",
            "mcp_approval_request",
            "mcp_approval_response",
            "mcp_call",
            "mcp_list_tools",
            "program",
            "program_output",
            "shell_call",
            "shell_call_output",
        )
    },
}

_PARTS: dict[str, dict[str, type]] = {
    "input_text": {"text": str},
    "output_text": {"text": str},
    "refusal": {"refusal": str},
    "input_image": {},
    "input_file": {},
    "input_audio": {},
    "encrypted_content": {"encrypted_content": str},
}

_OUTPUT_OF = {
    "function_call_output": "function_call",
    "custom_tool_call_output": "custom_tool_call",
}


def parse_input(body: JsonObject, extra_types: Collection[str]) -> list[JsonObject]:
    """Check ``input`` and give its items; a plain string becomes one user message.

    Raises:
        RequestProblem: It is missing, or an item is not what the API knows.
    """
    value = body.get("input")
    if value is None:
        raise missing("input")
    if isinstance(value, str):
        part = {"type": "input_text", "text": value}
        return [{"type": "message", "role": "user", "content": [part]}]
    return parse_items(body, "input", extra_types)


def parse_items(body: JsonObject, key: str, extra_types: Collection[str]) -> list[JsonObject]:
    """Check the array of items ``body[key]`` and give it.

    Raises:
        RequestProblem: An item is not what the API knows.
    """
    items = as_objects(body[key], key)
    for at, item in enumerate(items):
        _check_item(item, f"{key}[{at}].", extra_types)
    return items


def check_calls(items: Iterable[JsonObject]) -> None:
    """Refuse an output without its call, and a call without its output.

    Raises:
        RequestProblem: A call or an output is alone.
    """
    calls: dict[str, str] = {}
    for item in items:
        kind, call_id = item.get("type", ""), item.get("call_id", "")
        if kind in _OUTPUT_OF.values():
            calls[call_id] = kind
        elif kind in _OUTPUT_OF:
            if not call_id:
                is_open = [each for each, of in calls.items() if of == _OUTPUT_OF[kind]]
                call_id = next(reversed(is_open), "")
            if calls.get(call_id, "") not in {_OUTPUT_OF[kind], ""} or call_id not in calls:
                message = f"No tool call found for {kind} with call_id {call_id}."
                raise RequestProblem(400, message, None, "input")
            calls[call_id] = ""
    open_calls = [call_id for call_id, kind in calls.items() if kind]
    if open_calls:
        message = f"No tool output found for call {open_calls[0]}."
        raise RequestProblem(400, message, None, "input")


def _check_item(item: JsonObject, where: str, extra_types: Collection[str]) -> None:
    kind = _kind_of(item)
    if kind is None:
        raise missing(where + "type")
    if not isinstance(kind, str):
        raise invalid_type(where + "type", "a string", kind)
    if kind in extra_types:
        return
    if kind not in _REQUIRED:
        message = f"'{kind}' is no item type."
        raise invalid_value(where + "type", message)
    for key, expected in _REQUIRED[kind].items():
        required(item, key, expected, where)
    if kind in {"compaction", "compaction_summary"}:
        non_empty(item, "encrypted_content", where)
    for key in ("id", "call_id", "approval_request_id"):
        optional(item, key, str, where)
    if kind == "message":
        one_of(item, "role", ROLES, where)
        _check_content(item, "content", where)
    elif kind in _OUTPUT_OF:
        _check_content(item, "output", where)


def _check_content(item: JsonObject, key: str, where: str) -> None:
    content = item.get(key)
    if content is None:
        raise missing(where + key)
    if isinstance(content, str):
        return
    for at, part in enumerate(as_objects(content, where + key)):
        _check_part(part, f"{where}{key}[{at}].")


def _check_part(part: JsonObject, where: str) -> None:
    kind = required(part, "type", str, where)
    if kind not in _PARTS:
        message = f"'{kind}' is no content type."
        raise invalid_value(where + "type", message)
    for key, expected in _PARTS[kind].items():
        # An empty text is a text.
        if part.get(key) != "":
            required(part, key, expected, where)
    if kind == "input_image" and not (part.get("image_url") or part.get("file_id")):
        raise missing(where + "image_url")
    if kind == "input_image":
        _check_image(part, where)


def _check_image(part: JsonObject, where: str) -> None:
    one_of(part, "detail", {"auto", "low", "high", "original"}, where)
    url = optional(part, "image_url", str, where)
    if url is not None and not url.startswith(("data:image/", "https://", "http://")):
        message = "it must be an http(s) URL or a data URL of an image."
        raise invalid_value(where + "image_url", message)


def item_type(item: JsonObject) -> str:
    """Return the type of a checked item."""
    return str(_kind_of(item))


def _kind_of(item: JsonObject) -> object:
    """Return the type that an item names, or shows: messages and references need not name it."""
    kind: object = item.get("type")
    if kind is None and "role" in item:
        return "message"
    return "item_reference" if kind is None and item.keys() <= {"id", "type"} and item else kind


def item_text(item: JsonObject) -> str:
    """Return the text that an item holds, wherever it holds it."""
    for key in ("content", "output", "summary"):
        value = item.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return "\n".join(_part_texts(as_objects(cast("object", value), key)))
    return str(item.get("arguments", item.get("input", "")))


def image_count(items: Iterable[JsonObject]) -> int:
    """Count the images in messages and tool outputs."""
    return sum(
        part.get("type") == "input_image"
        for item in items
        for key in ("content", "output")
        if isinstance(item.get(key), list)
        for part in (as_object(each, key) for each in item[key])
    )


def _part_texts(parts: Iterable[JsonObject]) -> Iterable[str]:
    for part in parts:
        text = part.get("text", part.get("refusal", part.get("stdout")))
        if isinstance(text, str):
            yield text
