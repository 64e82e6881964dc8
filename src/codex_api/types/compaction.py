"""Values of the compaction of a history (wire.md, Other endpoints)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from codex_api.types.item import ResponseItem
from codex_api.types.reasoning import Reasoning
from codex_api.types.text import TextControls

CompactionRoute: TypeAlias = Literal["endpoint", "stream", "auto"]


class CompactionInput(msgspec.Struct, frozen=True):
    """A history to compact.

    Attributes:
        input: The history, at least one item; a plain string stands for one user message.
        instructions: Fully resolved compaction instructions; empty leaves the key out.
        tools: Tool definitions, always sent; None leaves the key out, as newer clients do.
        reasoning: None leaves the key out; so do ``service_tier``, ``prompt_cache_key``, ``text``.
    """

    model: str
    input: Sequence[ResponseItem | Mapping[str, Any] | msgspec.Raw] | str
    instructions: str = ""
    tools: Sequence[Any] | None = ()
    parallel_tool_calls: bool = True
    reasoning: Reasoning | Mapping[str, Any] | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    text: TextControls | Mapping[str, Any] | None = None
