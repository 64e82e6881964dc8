"""Whether a response that calls itself complete holds all that was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api.types.item import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api.types.item import ResponseItem
    from codex_api.types.usage import TokenUsage


def cut_off_reason(items: Sequence[ResponseItem], usage: TokenUsage | None) -> str | None:
    """Return why a response that claims to be complete is not; None when it is."""
    if not items and usage is not None and usage.output_tokens:
        return "unknown"  # tokens were written, and nothing of them came
    for item in items:
        if isinstance(item, Message) and item.status == "incomplete":
            return "unknown"
    return None
