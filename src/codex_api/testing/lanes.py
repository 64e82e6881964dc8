"""Streams as lanes with marks on them, and what can be said of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from codex_api.testing.wire import JsonObject

Family = Literal["text", "reasoning", "tool", "item", "start", "end", "failure", "sent", "other"]

#: A pause that is shown has at least this many seconds, and is this many times the usual one.
GAP_SECONDS = 0.2
_UNUSUAL = 4.0
_WORD = re.compile(r"\w+|[^\w\s]")
GOOD_ENDS = frozenset({"response.completed", "response.done"})
BAD_ENDS = frozenset({"response.failed", "response.incomplete", "response.cancelled", "error"})
_STARTS = frozenset({"response.created", "response.queued", "response.in_progress"})
_KINDS: tuple[tuple[Family, frozenset[str]], ...] = (
    ("end", GOOD_ENDS),
    ("failure", BAD_ENDS),
    ("start", _STARTS),
)
_PARTS: tuple[tuple[str, Family], ...] = (
    ("reasoning", "reasoning"),
    ("_call", "tool"),
    ("output_text", "text"),
    ("refusal", "text"),
    ("transcript", "text"),
    ("output_item", "item"),
    ("content_part", "item"),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """One event.

    Attributes:
        at: Seconds since the lane began.
        text: What it adds to the text of the answer, the reasoning or the arguments of a tool.
        data: All of it as it was, cut where it is very long.
    """

    at: float
    kind: str
    family: Family
    text: str
    data: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A pause: its start in seconds since the lane began, and its length."""

    at: float
    seconds: float


@dataclass(slots=True, kw_only=True)
class Lane:
    """One request with its answer, or one turn on a WebSocket.

    Attributes:
        source: Name of the file.
        began: Seconds since the first lane of the file began.
        seconds: How long it took.
        status: None where none is known.
        asked: What the user said last.
        outcome: Such as ``completed``, ``429 rate_limit_exceeded`` or ``broken``.
        is_good: Whether the answer came to the end that it should.
        is_timed: Whether times are known; if not, a mark comes each "second".
        retry_of: Number of the lane that this one repeats, counted from 0 in its file.
    """

    source: str
    method: str
    path: str
    began: float = 0.0
    seconds: float = 0.0
    status: int | None = None
    model: str = ""
    asked: str = ""
    marks: list[Mark] = field(default_factory=list[Mark])
    outcome: str = ""
    is_good: bool = False
    is_timed: bool = True
    usage: JsonObject = field(default_factory=dict[str, Any])
    tool_calls: list[str] = field(default_factory=list[str])
    retry_of: int | None = None
    body: str = ""

    @property
    def answered(self) -> list[Mark]:
        """The marks of what the server sent."""
        return [mark for mark in self.marks if mark.family != "sent"]

    @property
    def first_event(self) -> float | None:
        """Seconds until the first event of the server; None where there is none."""
        answered = self.answered
        return answered[0].at if answered and self.is_timed else None

    @property
    def gaps(self) -> list[Gap]:
        """The pauses that are longer than usual, the one before the first event among them."""
        if not self.is_timed:
            return []
        times = [0.0, *(mark.at for mark in self.marks)]
        times += [self.seconds] if self.seconds > times[-1] else []
        pauses = [Gap(a, b - a) for a, b in pairwise(times)]
        usual = median([pause.seconds for pause in pauses]) if pauses else 0.0
        bound = max(GAP_SECONDS, usual * _UNUSUAL)
        return [pause for pause in pauses if pause.seconds >= bound]

    @property
    def tokens_per_second(self) -> float | None:
        """The pace from the first text to the last; None where there is nothing to measure.

        Tokens as the answer counts them, else words and signs.
        """
        written = [mark for mark in self.marks if mark.text and mark.family != "sent"]
        passed = written[-1].at - written[0].at if self.is_timed and len(written) > 1 else 0.0
        if passed <= 0:
            return None
        counted = self.usage.get("output_tokens")
        if not isinstance(counted, int) or counted <= 0:
            counted = sum(len(_WORD.findall(mark.text)) for mark in written)
        return counted / passed


def family_of(kind: str) -> Family:
    """Return what an event is about, by its type."""
    for family, kinds in _KINDS:
        if kind in kinds:
            return family
    for part, family in _PARTS:
        if part in kind:
            return family
    return "other"
