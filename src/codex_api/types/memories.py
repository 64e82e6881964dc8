"""Values of ``memories/trace_summarize`` (wire.md, Other endpoints).

``raw_memories`` is called ``traces`` on the wire, and the summary of a trace ``trace_summary`` or
``raw_memory``; here both have the name that callers know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from codex_api.types.reasoning import Reasoning


class RawMemoryMetadata(msgspec.Struct, frozen=True):
    """Where a raw memory was read from.

    Attributes:
        source_path: Path of the recorded session, as the caller names it.
    """

    source_path: str


class RawMemory(msgspec.Struct, frozen=True):
    """One recorded trace to summarize.

    Attributes:
        items: Normalized items of the trace: response items, mappings or ``msgspec.Raw``.
    """

    id: str
    metadata: RawMemoryMetadata
    items: Sequence[Any]


class MemorySummarizeInput(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to summarize, and with which model.

    Attributes:
        raw_memories: Traces, at least one; sent as ``traces``.
        reasoning: None leaves the key out.
    """

    model: str
    raw_memories: Sequence[RawMemory] = msgspec.field(name="traces")
    reasoning: Reasoning | None = None


class MemorySummarizeOutput(msgspec.Struct, frozen=True):
    """Summaries of one trace, at the position of its trace in the input."""

    raw_memory: str
    memory_summary: str


class UnknownMemorySummary(msgspec.Struct, frozen=True):
    """An answer for one trace that does not have the promised form.

    Attributes:
        raw: The element as it came; ``bytes(raw)`` are its exact bytes.
    """

    raw: msgspec.Raw


MemorySummary: TypeAlias = MemorySummarizeOutput | UnknownMemorySummary
