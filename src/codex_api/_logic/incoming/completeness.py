"""Whether a response that calls itself complete holds all that was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_api.types.item import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api._logic.incoming.terminal import Terminal
    from codex_api.types.item import ResponseItem
    from codex_api.types.usage import TokenUsage

#: Statuses of responses that are not at their end.
GOES_ON: Final = frozenset({"queued", "in_progress"})


def cut_off_reason(
    items: Sequence[ResponseItem], usage: TokenUsage | None, terminal: Terminal | None = None
) -> str | None:
    """Return why a response that claims to be complete is not; None when it is.

    Args:
        items: What came of it.
        usage: What it cost.
        terminal: What its end said, which may be of no response, or of one that goes on.
    """
    if not items and terminal is not None and (not terminal.raw or terminal.status in GOES_ON):
        return "unknown"
    if not items and usage is not None and usage.output_tokens:
        return "unknown"  # tokens were written, and nothing of them came
    for item in items:
        if isinstance(item, Message) and item.status == "incomplete":
            return "unknown"
    return None
