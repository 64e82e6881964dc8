"""Which tools a request may offer, and how it may choose among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from codex_api.testing.server.checks import (
    as_object,
    as_objects,
    non_empty,
    one_of,
    optional,
    required,
    strings,
)
from codex_api.testing.server.problems import invalid_type, invalid_value
from codex_api.testing.server.schema_checks import check_schema

if TYPE_CHECKING:
    from codex_api.testing.wire import JsonObject

_MODES = frozenset({"auto", "none", "required"})


def check_tools(value: object, param: str) -> list[JsonObject]:
    """Check an array of tools, namespaces included.

    Raises:
        RequestProblem: A tool is not what the API knows.
    """
    tools = as_objects(value, param)
    for at, tool in enumerate(tools):
        _check_tool(tool, f"{param}[{at}].")
    return tools


def check_choice(choice: object) -> None:
    """Check ``tool_choice``.

    Raises:
        RequestProblem: It is none.
    """
    if choice is None or isinstance(choice, str):
        if choice not in {None, *_MODES}:
            message = f"'{choice}' is none of 'auto', 'none', 'required'."
            raise invalid_value("tool_choice", message)
        return
    if not isinstance(choice, dict):
        raise invalid_type("tool_choice", "a string or an object", choice)
    where = "tool_choice."
    chosen = as_object(cast("object", choice), "tool_choice")
    if required(chosen, "type", str, where) == "allowed_tools":
        one_of(chosen, "mode", {"auto", "required"}, where)
        as_objects(chosen.get("tools") or [], f"{where}tools")


def _check_tool(tool: JsonObject, where: str) -> None:
    match required(tool, "type", str, where):
        case "function":
            non_empty(tool, "name", where)
            is_strict = bool(optional(tool, "strict", bool, where))
            schema: JsonObject | None = optional(tool, "parameters", dict, where)
            if schema is not None:
                check_schema(schema, f"{where}parameters", is_strict=is_strict)
        case "custom":
            non_empty(tool, "name", where)
        case "namespace":
            non_empty(tool, "name", where)
            check_tools(tool.get("tools", []), f"{where}tools")
        case "mcp":
            _check_mcp(tool, where)
        case "image_generation":
            for key in ("size", "background", "quality"):
                optional(tool, key, str, where)
            optional(tool, "partial_images", int, where)
        case "file_search":
            optional(tool, "max_num_results", int, where)
        case _:
            # Searches of the web have many names.
            if isinstance(tool.get("filters"), dict):
                strings(tool["filters"], "allowed_domains", f"{where}filters.")


def _check_mcp(tool: JsonObject, where: str) -> None:
    non_empty(tool, "server_label", where)
    allowed: object = tool.get("allowed_tools")
    if isinstance(allowed, dict):
        strings(cast("JsonObject", allowed), "tool_names", f"{where}allowed_tools.")
    else:
        strings(tool, "allowed_tools", where)
    needed: object = tool.get("require_approval")
    if isinstance(needed, dict):
        inside = f"{where}require_approval."
        for key in ("always", "never"):
            part: JsonObject = optional(cast("JsonObject", needed), key, dict, inside) or {}
            strings(part, "tool_names", f"{inside}{key}.")
    else:
        one_of(tool, "require_approval", {"always", "never"}, where)
