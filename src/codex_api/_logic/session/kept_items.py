"""What of a response that broke off goes into the next try.

Items that were complete are kept and sent back as input, so the model goes on behind them. A tool
call is kept only with its output: without one the server would refuse the request. What follows the
first call that has none is dropped, and so is reasoning that would then stand last, alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codex_api.items import (
    CustomToolCall,
    FunctionCall,
    LocalShellCall,
    Message,
    Reasoning,
    ToolSearchCall,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from codex_api.items import ResponseItem

_CALLS = (CustomToolCall, FunctionCall, LocalShellCall, ToolSearchCall)


class Kept(NamedTuple):
    """How a broken response is split.

    Attributes:
        length: Items from the start that are kept.
        replayed: The first dropped item whose doing again has side effects, or None.
    """

    length: int
    replayed: ResponseItem | None


def split(items: Sequence[ResponseItem], answered: Collection[str]) -> Kept:
    """Split the completed ``items`` of a broken response.

    Args:
        answered: Call ids whose outputs the caller supplied.
    """
    count = len(items)
    for index, item in enumerate(items):
        if _is_open_call(item, answered):
            count = index
            break
    while count and isinstance(items[count - 1], Reasoning):
        count -= 1
    dropped = items[count:]
    replayed = next((item for item in dropped if not isinstance(item, Message | Reasoning)), None)
    return Kept(count, replayed)


def _is_open_call(item: ResponseItem, answered: Collection[str]) -> bool:
    if isinstance(item, ToolSearchCall) and item.execution == "server":
        return False
    return isinstance(item, _CALLS) and item.call_id not in answered
