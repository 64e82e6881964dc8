"""The functions of a session: which one a text asks for, and what became of the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.testing.server.arguments import function_arguments, named_at, said_after
from codex_api.testing.server.offers import wants_a_tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.testing.wire import JsonObject


class Functions:
    """Remembers calls until a response tells what they returned.

    Args:
        new_id: Makes ids from a prefix.
    """

    def __init__(self, new_id: Callable[[str], str]) -> None:
        self._new_id = new_id
        self._names: dict[str, str] = {}
        self._returned: list[str] = []

    def calls(self, text: str, config: JsonObject) -> list[tuple[str, str, str]]:
        """Return name, id and arguments of each call that ``text`` and the settings ask for."""
        tools: dict[str, JsonObject] = {
            tool["name"]: tool
            for tool in config.get("tools") or ()
            if tool.get("type") == "function"
        }
        choice = config.get("tool_choice") or "auto"
        if choice == "none":
            return []
        if isinstance(choice, dict):
            names = [name for name in tools if name == config["tool_choice"].get("name")]
        else:
            names = [name for name in tools if named_at(name, text)]
            if not names and (choice == "required" or wants_a_tool(text)):
                names = list(tools)[:1]
        found: list[tuple[str, str, str]] = []
        for name in names:
            others = [other for other in names if other != name]
            schema = tools[name].get("parameters") or {"type": "object"}
            said = said_after(name, text, others)
            found.append((name, self._new_id("call"), function_arguments(schema, said)))
        self._names |= {call_id: name for name, call_id, _ in found}
        return found

    def take(self, item: JsonObject) -> bool:
        """Take the output of a call; False for that of another one."""
        name = self._names.pop(str(item.get("call_id")), None)
        if name is None:
            return False
        self._returned.append(f'{name} returned "{item.get("output", "")}"')
        return True

    def told(self) -> str | None:
        """Say once what calls returned; None where none did."""
        told = "; ".join(self._returned)
        self._returned.clear()
        return f"{told}." if told else None
