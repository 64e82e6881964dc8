"""What the built-in model decided to put out, before ids, numbers and deltas.

``pieces`` are the deltas of a text; None streams it word for word.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from codex_api.testing.wire import JsonObject


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
    annotations: tuple[JsonObject, ...] = ()
    pieces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function, or of a custom tool when ``is_custom``."""

    name: str
    payload: str
    is_custom: bool = False
    namespace: str | None = None
    pieces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Compacted:
    """A compaction item."""

    encrypted_content: str


@dataclass(frozen=True, slots=True)
class ToolItem:
    """An item of a built-in tool, with the events between its beginning and its end.

    Attributes:
        prefix: Of its id.
        begun: What it holds when it is added.
        steps: Names of the events, without ``response.``, and what they hold beside the place.
        ended: What it holds in the end.
        is_for_client: The client carries it out, and sends back what came of it.
    """

    kind: str
    prefix: str
    begun: JsonObject = field(default_factory=dict[str, object])
    steps: tuple[tuple[str, JsonObject], ...] = ()
    ended: JsonObject = field(default_factory=dict[str, object])
    is_for_client: bool = False


Output: TypeAlias = Reasoning | Answer | Call | ToolItem | Compacted
