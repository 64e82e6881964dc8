"""The tools that a request offers, and which of them its ``tool_choice`` and its prompt want."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, cast

from codex_api.testing.server.arguments import named_at
from codex_api.testing.server.items import item_type
from codex_api.testing.server.mcp_tools import listed_tools

if TYPE_CHECKING:
    from codex_api.testing.server.validation import ResponseRequest
    from codex_api.testing.wire import JsonObject

_WANTS_TOOL = re.compile(r"\b(call|use|run|invoke)\b.{0,40}\btools?\b", re.IGNORECASE | re.DOTALL)
_NAMED = frozenset({"function", "custom"})
# Dated and other names of the same tool.
_PLAIN = {
    "web_search_2025_08_26": "web_search",
    "web_search_preview": "web_search",
    "web_search_preview_2025_03_11": "web_search",
    "computer_use": "computer",
    "computer_use_preview": "computer",
}
BUILT_IN = frozenset(
    {
        "apply_patch",
        "code_interpreter",
        "computer",
        "file_search",
        "image_generation",
        "local_shell",
        "shell",
        "web_search",
    }
)


class Offer(NamedTuple):
    """One tool that can be called.

    Attributes:
        kind: Its type, without dates.
        name: What a prompt calls it by.
        tool: Its definition, or for MCP the definition of the server.
        namespace: That it is in, or None.
    """

    kind: str
    name: str
    tool: JsonObject
    namespace: str | None = None


def wants_a_tool(prompt: str) -> bool:
    """Tell whether a prompt asks for a tool without naming it."""
    return _WANTS_TOOL.search(prompt) is not None


def offers(request: ResponseRequest) -> list[Offer]:
    """Return all tools of a request: what the client calls first, what the server runs then."""
    groups: list[tuple[list[JsonObject], str | None]] = [(request.tools, None)]
    groups += [
        (item["tools"], None) for item in request.input if item_type(item) == "additional_tools"
    ]
    found: list[Offer] = []
    while groups:
        tools, namespace = groups.pop(0)
        for tool in tools:
            if tool.get("type") == "namespace":
                groups.append((tool.get("tools") or [], tool["name"]))
            else:
                found += _offers_of(tool, namespace)
    return sorted(found, key=lambda offer: offer.kind not in _NAMED)


def offered_tools(request: ResponseRequest) -> list[tuple[str, JsonObject, str | None]]:
    """Return name, definition and namespace of each tool that the client calls by its name."""
    return [
        (offer.name, offer.tool, offer.namespace)
        for offer in offers(request)
        if offer.kind in _NAMED
    ]


def wanted_offers(request: ResponseRequest, prompt: str) -> list[Offer]:
    """Return the tools that a request forces, or that its prompt names as far as it may."""
    found = offers(request)
    choice: object = request.body.get("tool_choice") or "auto"
    mode = choice if isinstance(choice, str) else "forced"
    section = request.section("tool_choice") if mode == "forced" else {}
    if section.get("type") == "allowed_tools":
        mode = str(section.get("mode") or "auto")
        allowed = cast("list[JsonObject]", section.get("tools") or [])
        found = [offer for offer in found if any(_is_meant(offer, each) for each in allowed)]
    if mode == "none":
        return []
    if mode == "forced":
        wanted = [offer for offer in found if _is_meant(offer, section)][:1]
    else:
        wanted = [offer for offer in found if _is_named(offer, prompt)]
        if not wanted and (mode == "required" or wants_a_tool(prompt)):
            wanted = found[:1]
    return wanted[:1] if request.body.get("parallel_tool_calls") is False else wanted


def _offers_of(tool: JsonObject, namespace: str | None) -> list[Offer]:
    kind = str(tool.get("type"))
    kind = _PLAIN.get(kind, kind)
    if kind in _NAMED:
        return [Offer(kind, tool["name"], tool, namespace)]
    if kind == "mcp":
        return [Offer(kind, each["name"], tool) for each in listed_tools(tool)]
    return [Offer(kind, kind, tool)] if kind in BUILT_IN else []


def _is_named(offer: Offer, prompt: str) -> bool:
    names = [offer.name]
    if offer.kind == "mcp" and listed_tools(offer.tool)[0]["name"] == offer.name:
        names.append(str(offer.tool.get("server_label")))
    return any(named_at(name, prompt) for name in names)


def _is_meant(offer: Offer, choice: JsonObject) -> bool:
    kind = str(choice.get("type"))
    if _PLAIN.get(kind, kind) != offer.kind:
        return False
    if offer.kind == "mcp":
        same = offer.tool.get("server_label") == choice.get("server_label")
        return same and choice.get("name") in {None, offer.name}
    return offer.kind not in _NAMED or offer.name == choice.get("name")
