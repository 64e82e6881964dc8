"""Tools of MCP servers, which are asked for here and not reached: they return what they get.

A server has the tools that the request allows, or one of the name ``echo``. As in the public API
they are listed once in a conversation, and a call is asked for first unless ``require_approval``
says that it need not be.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from codex_api.testing.server.arguments import function_arguments
from codex_api.testing.server.items import item_type
from codex_api.testing.server.plan import ToolItem
from codex_api.testing.server.problems import invalid_value
from codex_api.testing.server.tokens import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codex_api.testing.wire import JsonObject

_SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


def listed_tools(server: JsonObject) -> list[JsonObject]:
    """Return the tools of a server as its listing shows them."""
    allowed: Any = server.get("allowed_tools")
    names = cast("JsonObject", allowed).get("tool_names") if isinstance(allowed, dict) else allowed
    return [
        {
            "name": name,
            "description": f"Returns what {name} gets.",
            "input_schema": _SCHEMA,
            "annotations": None,
        }
        for name in cast("list[str]", names or ["echo"])
    ]


def listings(tools: Iterable[JsonObject], items: Sequence[JsonObject]) -> list[ToolItem]:
    """Return the listings of the servers that a conversation has none of yet."""
    known = {item.get("server_label") for item in items if item_type(item) == "mcp_list_tools"}
    return [
        ToolItem(
            "mcp_list_tools",
            "mcpl",
            {"server_label": tool.get("server_label"), "tools": []},
            (("mcp_list_tools.in_progress", {}), ("mcp_list_tools.completed", {})),
            {"tools": listed_tools(tool)},
        )
        for tool in tools
        if tool.get("type") == "mcp" and tool.get("server_label") not in known
    ]


def called(server: JsonObject, name: str, said: str) -> ToolItem:
    """Return a call, or the question whether it may be made."""
    label, arguments = str(server.get("server_label")), function_arguments(_SCHEMA, said)
    if not _needs_approval(server, name):
        return _call(label, name, arguments)
    asked: JsonObject = {"server_label": label, "name": name, "arguments": arguments}
    return ToolItem("mcp_approval_request", "mcpr", asked)


def decided(items: Sequence[JsonObject]) -> list[tuple[JsonObject, bool]]:
    """Return the questions that the end of a conversation answers, and how.

    Raises:
        RequestProblem: A question is not in the conversation.
    """
    asked = {item.get("id"): item for item in items if item_type(item) == "mcp_approval_request"}
    found: list[tuple[JsonObject, bool]] = []
    for item in reversed(items):
        if item_type(item) != "mcp_approval_response":
            break
        ident = item.get("approval_request_id")
        if ident not in asked:
            param, message = "input", f"there is no approval request '{ident}'."
            raise invalid_value(param, message)
        found.insert(0, (asked[ident], bool(item.get("approve"))))
    return found


def approved(request: JsonObject) -> ToolItem:
    """Return the call that was asked for by ``request``."""
    label, name = str(request.get("server_label")), str(request.get("name"))
    return _call(label, name, str(request.get("arguments")), request.get("id"))


def output_of(item: ToolItem) -> str:
    """Say what a call returned."""
    return f'{item.begun["name"]} returned "{item.ended["output"]}".'


def _call(label: str, name: str, arguments: str, approval: object = None) -> ToolItem:
    begun: JsonObject = {
        "server_label": label,
        "name": name,
        "arguments": "",
        "output": None,
        "error": None,
        "approval_request_id": approval,
        "status": "in_progress",
    }
    steps: list[tuple[str, JsonObject]] = [("mcp_call.in_progress", {})]
    steps += [("mcp_call_arguments.delta", {"delta": piece}) for piece in pieces(arguments)]
    steps.append(("mcp_call_arguments.done", {"arguments": arguments}))
    steps.append(("mcp_call.completed", {}))
    ended: JsonObject = {
        "arguments": arguments,
        "output": _echo(arguments),
        "status": "completed",
    }
    return ToolItem("mcp_call", "mcp", begun, tuple(steps), ended)


def _echo(arguments: str) -> str:
    try:
        value: object = json.loads(arguments)
    except ValueError:
        return arguments
    text = cast("JsonObject", value).get("text") if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments


def _needs_approval(server: JsonObject, name: str) -> bool:
    wanted: Any = server.get("require_approval") or "always"
    if isinstance(wanted, str):
        return wanted != "never"
    never: JsonObject = wanted.get("never") or {}
    return name not in (never.get("tool_names") or ())
