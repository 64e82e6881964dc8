"""What the built-in model decided to put out, before ids, numbers and deltas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A reasoning item with its summary parts."""

    summaries: tuple[str, ...]
    encrypted_content: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An assistant message of one part."""

    text: str
    is_refusal: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function, or of a custom tool when ``is_custom``."""

    name: str
    payload: str
    is_custom: bool = False
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Compacted:
    """A compaction item."""

    encrypted_content: str


Output: TypeAlias = Reasoning | Answer | Call | Compacted
