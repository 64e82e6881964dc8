"""What ``POST /responses`` accepts: the keys of the public API and those of the Codex client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from codex_api.testing.server.checks import (
    as_objects,
    known_keys,
    non_empty,
    one_of,
    optional,
    required,
    string_map,
    strings,
)
from codex_api.testing.server.items import parse_input
from codex_api.testing.server.problems import RequestProblem, invalid_value
from codex_api.testing.server.schema_checks import check_schema
from codex_api.testing.server.tool_checks import check_choice, check_tools

if TYPE_CHECKING:
    from collections.abc import Collection

    from codex_api.testing.wire import JsonObject

COMPACT_KEYS = frozenset(
    {
        "model",
        "instructions",
        "input",
        "tools",
        "parallel_tool_calls",
        "reasoning",
        "text",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "previous_response_id",
        "image",
    }
)
COUNT_KEYS = frozenset(
    {
        "model",
        "instructions",
        "input",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning",
        "text",
        "previous_response_id",
        "conversation",
        "truncation",
        "personality",
    }
)
RESPONSE_KEYS = COMPACT_KEYS | {
    "access_programs",
    "background",
    "background_options",
    "client_metadata",
    "context_management",
    "conversation",
    "include",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "moderation",
    "prompt",
    "safety_identifier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
}
FRAME_KEYS = RESPONSE_KEYS | {"type", "generate", "stream_id"}

_STRINGS = (
    "instructions",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "truncation",
    "user",
)
_OBJECTS = ("moderation", "prompt", "prompt_cache_options", "stream_options")
# What a request may go on from in place of an input.
_BEGINNINGS = ("prompt", "previous_response_id", "conversation")
# Answers for a request that leaves the choice to its prompt template, or only counts.
DEFAULT_MODEL = "gpt-5.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRequest:
    """A checked request; ``body`` is all of it."""

    body: JsonObject
    model: str
    input: list[JsonObject]
    tools: list[JsonObject]
    stream: bool
    store: bool
    background: bool

    def text(self, key: str) -> str:
        """Return a string parameter, or an empty string."""
        return str(self.body.get(key) or "")

    def section(self, key: str) -> JsonObject:
        """Return an object parameter, or an empty one."""
        return cast("JsonObject", self.body.get(key) or {})

    def with_input(self, items: list[JsonObject]) -> ResponseRequest:
        """Return the same request over a whole conversation."""
        return ResponseRequest(
            body=self.body,
            model=self.model,
            input=items,
            tools=self.tools,
            stream=self.stream,
            store=self.store,
            background=self.background,
        )


def parse_response_request(
    body: JsonObject,
    *,
    keys: Collection[str] = RESPONSE_KEYS,
    extra_item_types: Collection[str] = (),
) -> ResponseRequest:
    """Check a request body.

    Raises:
        RequestProblem: Status 400, naming the parameter.
    """
    known_keys(body, keys)
    is_count = keys is COUNT_KEYS
    model = _model(body, is_needed=not is_count and body.get("prompt") is None)
    has_beginning = is_count or any(body.get(key) is not None for key in _BEGINNINGS)
    items = (
        [] if has_beginning and body.get("input") is None else parse_input(body, extra_item_types)
    )
    tools = [] if body.get("tools") is None else check_tools(body["tools"], "tools")
    for at, item in enumerate(items):
        if item.get("type") == "additional_tools":
            check_tools(item["tools"], f"input[{at}].tools")
    check_choice(body.get("tool_choice"))
    _check_controls(body)
    for key in _STRINGS:
        optional(body, key, str)
    for key in _OBJECTS:
        optional(body, key, dict)
    for key in ("parallel_tool_calls", "store", "stream", "background", "generate"):
        optional(body, key, bool)
    if body.get("conversation") is not None and body.get("previous_response_id") is not None:
        message = "A request names 'previous_response_id' or 'conversation', not both."
        raise RequestProblem(400, message, "mutually_exclusive_parameters", "conversation")
    strings(body, "include")
    string_map(body, "client_metadata")
    string_map(body, "metadata")
    store: Any = body.get("store")
    return ResponseRequest(
        body=body,
        model=model,
        input=items,
        tools=tools,
        stream=bool(body.get("stream")),
        store=True if store is None else bool(store),
        background=bool(body.get("background")),
    )


def _model(body: JsonObject, *, is_needed: bool) -> str:
    if not is_needed and body.get("model") is None:
        return DEFAULT_MODEL
    return non_empty(body, "model")


def _check_controls(body: JsonObject) -> None:
    reasoning: JsonObject = optional(body, "reasoning", dict) or {}
    if reasoning.get("effort") is not None:
        non_empty(reasoning, "effort", "reasoning.")
    one_of(reasoning, "summary", {"auto", "concise", "detailed", "none"}, "reasoning.")
    text: JsonObject = optional(body, "text", dict) or {}
    one_of(text, "verbosity", {"low", "medium", "high"}, "text.")
    _check_format(optional(text, "format", dict, "text.") or {"type": "text"})
    limit = optional(body, "max_output_tokens", int)
    if limit is not None and limit < 1:
        raise invalid_value("max_output_tokens", "it must be at least 1.")
    for key in ("temperature", "top_p"):
        optional(body, key, float)
    for key in ("max_tool_calls", "top_logprobs"):
        optional(body, key, int)
    managed = "context_management"
    for at, each in enumerate(as_objects(body.get(managed) or [], managed)):
        required(each, "type", str, f"{managed}[{at}].")
        optional(each, "compact_threshold", int, f"{managed}[{at}].")


def _check_format(form: JsonObject) -> None:
    where = "text.format."
    kind = required(form, "type", str, where)
    if kind not in {"text", "json_object", "json_schema"}:
        message = f"'{kind}' is no text format."
        raise invalid_value(where + "type", message)
    if kind == "json_schema":
        non_empty(form, "name", where)
        schema = required(form, "schema", dict, where)
        is_strict = bool(optional(form, "strict", bool, where))
        check_schema(schema, f"{where}schema", is_strict=is_strict)
