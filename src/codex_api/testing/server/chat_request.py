"""From a request for a chat completion to one for a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from codex_api.testing.server.checks import as_object, as_objects, non_empty, optional, required
from codex_api.testing.server.problems import invalid_value, missing

if TYPE_CHECKING:
    from codex_api.testing.wire import JsonObject

_SAME = (
    "metadata",
    "model",
    "parallel_tool_calls",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "stream",
    "temperature",
    "top_p",
    "user",
)
_SPEAKERS = frozenset({"system", "developer", "user"})


def as_response_request(body: JsonObject) -> JsonObject:
    """Return the body of the same request for a response, which is not stored.

    Raises:
        RequestProblem: It makes no sense.
    """
    if not body.get("messages"):
        param = "messages"
        raise missing(param)
    made: JsonObject = {key: body[key] for key in _SAME if body.get(key) is not None}
    made |= {"input": _items(as_objects(body["messages"], "messages")), "store": False}
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None:
        made["max_output_tokens"] = limit
    if body.get("reasoning_effort") is not None:
        made["reasoning"] = {"effort": body["reasoning_effort"]}
    if body.get("tools"):
        tools = as_objects(body["tools"], "tools")
        made["tools"] = [_flat(tool, f"tools[{at}].") for at, tool in enumerate(tools)]
    if body.get("tool_choice") is not None:
        made["tool_choice"] = _choice(body["tool_choice"])
    if text := _text(body):
        made["text"] = text
    return made


def _items(messages: list[JsonObject]) -> list[JsonObject]:
    items: list[JsonObject] = []
    custom: set[str] = set()
    for at, message in enumerate(messages):
        where = f"messages[{at}]."
        role = non_empty(message, "role", where)
        if role in _SPEAKERS:
            content = _content(message.get("content"), f"{where}content")
            items.append({"type": "message", "role": role, "content": content})
        elif role == "assistant":
            items += _said(message, where, custom)
        elif role == "tool":
            call_id = non_empty(message, "tool_call_id", where)
            kind = "custom_tool_call_output" if call_id in custom else "function_call_output"
            output = _content(message.get("content"), f"{where}content")
            items.append({"type": kind, "call_id": call_id, "output": output})
        else:
            why = f"'{role}' is no role of a message here."
            raise invalid_value(where + "role", why)
    return items


def _said(message: JsonObject, where: str, custom: set[str]) -> list[JsonObject]:
    """Return the items of what the model had said; ``custom`` learns the ids of custom calls."""
    items: list[JsonObject] = []
    texts = _texts(message.get("content"), f"{where}content")
    parts: list[JsonObject] = [{"type": "output_text", "text": text} for text in texts]
    if message.get("refusal"):
        parts.append({"type": "refusal", "refusal": message["refusal"]})
    if parts:
        items.append({"type": "message", "role": "assistant", "content": parts})
    for at, call in enumerate(as_objects(message.get("tool_calls") or [], f"{where}tool_calls")):
        here = f"{where}tool_calls[{at}]."
        call_id = non_empty(call, "id", here)
        if call.get("type") == "custom":
            custom.add(call_id)
            named: JsonObject = required(call, "custom", dict, here)
            items.append({"type": "custom_tool_call", "call_id": call_id, **named})
        else:
            named = required(call, "function", dict, here)
            items.append({"type": "function_call", "call_id": call_id, **named})
    return items


def _texts(content: object, where: str) -> list[str]:
    if content is None or isinstance(content, str):
        return [content] if content else []
    parts = as_objects(content, where)
    return [str(part.get("text", part.get("refusal", ""))) for part in parts]


def _content(content: object, where: str) -> str | list[JsonObject]:
    if content is None or isinstance(content, str):
        return content or ""
    parts = as_objects(content, where)
    return [_part(part, f"{where}[{at}].") for at, part in enumerate(parts)]


def _part(part: JsonObject, where: str) -> JsonObject:
    match part.get("type"):
        case "text":
            return {"type": "input_text", "text": part.get("text")}
        case "image_url":
            image: JsonObject = required(part, "image_url", dict, where)
            detail = image.get("detail") or "auto"
            return {"type": "input_image", "image_url": image.get("url"), "detail": detail}
        case "file":
            return {"type": "input_file", **required(part, "file", dict, where)}
        case "input_audio":
            return part
        case _:
            message = f"'{part.get('type')}' is no type of content."
            raise invalid_value(where + "type", message)


def _flat(tool: JsonObject, where: str) -> JsonObject:
    """Take a tool out of the key of its type."""
    kind = non_empty(tool, "type", where)
    inner: JsonObject = required(tool, kind, dict, where)
    return {"type": kind, **inner}


def _choice(choice: Any) -> Any:  # noqa: ANN401 - a word or an object
    if not isinstance(choice, dict):
        return choice
    named = cast("JsonObject", choice)
    if named.get("type") != "allowed_tools":
        return _flat(named, "tool_choice.")
    allowed: JsonObject = required(named, "allowed_tools", dict, "tool_choice.")
    tools = as_objects(allowed.get("tools"), "tool_choice.allowed_tools.tools")
    where = "tool_choice.allowed_tools.tools."
    return {**allowed, "type": "allowed_tools", "tools": [_flat(tool, where) for tool in tools]}


def _text(body: JsonObject) -> JsonObject:
    text: JsonObject = {}
    if body.get("verbosity") is not None:
        text["verbosity"] = body["verbosity"]
    form: JsonObject | None = optional(body, "response_format", dict)
    if form is not None and form.get("type") == "json_schema":
        inner = as_object(form.get("json_schema"), "response_format.json_schema")
        text["format"] = {"type": "json_schema", **inner}
    elif form is not None:
        text["format"] = form
    return text
