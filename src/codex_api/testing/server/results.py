"""What tools returned, told in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_api.testing.server.items import image_count, item_text, item_type
from codex_api.testing.server.schema_instances import gist

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codex_api.testing.wire import JsonObject

RESULT_TYPES: Final = frozenset({"function_call_output", "custom_tool_call_output"})
CALL_TYPES: Final = frozenset({"function_call", "custom_tool_call"})


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
    names = {item["call_id"]: item["name"] for item in items if item_type(item) in CALL_TYPES}
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
