"""What tools returned, told in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_api.testing.server.items import image_count, item_text, item_type
from codex_api.testing.server.schema_instances import gist

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codex_api.testing.wire import JsonObject

# Calls that the client carries out, by their outputs.
CALL_OF: Final = {
    "apply_patch_call_output": "apply_patch_call",
    "computer_call_output": "computer_call",
    "custom_tool_call_output": "custom_tool_call",
    "function_call_output": "function_call",
    "local_shell_call_output": "local_shell_call",
    "shell_call_output": "shell_call",
}
RESULT_TYPES: Final = frozenset(CALL_OF)


def trailing_results(items: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the results at the end of a conversation, in order."""
    results: list[JsonObject] = []
    for item in reversed(items):
        if item_type(item) not in RESULT_TYPES:
            break
        results.insert(0, item)
    return results


def told_back(results: list[JsonObject], items: Iterable[JsonObject]) -> str:
    """Say what each call returned, whose names are among ``items``."""
    names = {
        item["call_id"]: item.get("name") or item_type(item).removesuffix("_call")
        for item in items
        if item_type(item) in CALL_OF.values() and "call_id" in item
    }
    told = [
        f'{names.get(item.get("call_id"), "The tool")} returned "{gist(item_text(item), 24)}"'
        for item in results
    ]
    images = image_count(results)
    seen = f" with {plural(images, 'image')}" if images else ""
    return "; ".join(told) + seen + "."


def plural(count: int, noun: str) -> str:
    """Say how many there are."""
    return f"{count} {noun}" + ("" if count == 1 else "s")
