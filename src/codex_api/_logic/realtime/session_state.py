"""What was received and sent in a session so far, and what of it the agent has not been told.

See wire.md, Realtime sessions.

A transcript is a list of turns; deltas grow the last turn of their side, a completed text replaces
what was told of it. Items that are named have parts of their own: a completed text replaces the
part of its item only, though the other side came in meanwhile. Two flags decide where a turn ends:
speech that starts opens a new user turn, a response that starts opens a new assistant turn, and a
handoff ends both. The transcript is bounded: the oldest turns go first, and a handoff says how many
of those it should have shown are gone.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Literal, TypeAlias

import msgspec

from codex_api.types import realtime_events as events
from codex_api.types.realtime import TranscriptEntry
from codex_api.types.realtime_options import MAX_TRANSCRIPT_CHARS

_Role = Literal["user", "assistant"]
# An item and its part; None where the server names none.
_Place: TypeAlias = tuple[str, int | None] | None
_Said: TypeAlias = (
    events.InputTranscriptDelta
    | events.InputTranscriptDone
    | events.OutputTranscriptDelta
    | events.OutputTranscriptDone
)

# What a turn costs beside its text, so that a flood of short turns is bounded too.
_TURN_COST = 64
# How far back the turn of a named item is looked for.
_MAX_TURNS_BACK = 32
# A piece costs some 60 bytes beside its text.
_MAX_PIECES = 256
_MAX_PARTS = 256


class _Part:
    """What one item said of a turn, as the pieces it came in: joining at each would cost O(n^2)."""

    __slots__ = ("of", "pieces", "size")

    def __init__(self, of: _Place, text: str) -> None:
        self.of = of
        self.pieces = deque([text])
        self.size = len(text)

    def append(self, text: str) -> None:
        if len(self.pieces) >= _MAX_PIECES:
            self.pieces = deque([self.text])
        self.pieces.append(text)
        self.size += len(text)

    def replace(self, text: str) -> None:
        self.pieces = deque([text])
        self.size = len(text)

    def cut_front(self, excess: int) -> None:
        while excess > 0 and self.pieces:
            first = self.pieces.popleft()
            cut = min(len(first), excess)
            excess -= cut
            self.size -= cut
            if cut < len(first):
                self.pieces.appendleft(first[cut:])

    @property
    def text(self) -> str:
        if len(self.pieces) > 1:
            self.pieces = deque(["".join(self.pieces)])
        return self.pieces[0] if self.pieces else ""


class _Turn:
    """One turn: what one side said, a part for each item that said it."""

    __slots__ = ("parts", "role")

    def __init__(self, role: _Role, part: _Part) -> None:
        self.role: _Role = role
        self.parts = deque([part])

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def part_of(self, place: _Place) -> _Part | None:
        return next((part for part in reversed(self.parts) if part.of == place), None)

    def cut_front(self, excess: int) -> None:
        while excess > 0:
            first = self.parts[0]
            cut = min(first.size, excess)
            first.cut_front(cut)
            excess -= cut
            if not first.size and len(self.parts) > 1:
                self.parts.popleft()

    @property
    def entry(self) -> TranscriptEntry:
        return TranscriptEntry(self.role, "\n".join(part.text for part in self.parts))


class SessionState:
    """The state of one session; ``apply`` is told every event, in order.

    Attributes:
        response_active: Whether the model is answering now.
        dropped_entries: Turns dropped so far to stay within the bound.
    """

    def __init__(self, *, max_transcript_chars: int = MAX_TRANSCRIPT_CHARS) -> None:
        self.response_active: bool = False
        self.dropped_entries: int = 0
        self._limit = max_transcript_chars
        self._turns: deque[_Turn] = deque()
        self._size = 0
        self._handed_off = 0
        self._untold_drops = 0
        self._fresh: dict[_Role, bool] = {"user": False, "assistant": False}

    @property
    def transcript(self) -> tuple[TranscriptEntry, ...]:
        """All turns that are still kept, oldest first."""
        return tuple(turn.entry for turn in list(self._turns))

    @property
    def transcript_tail(self) -> tuple[TranscriptEntry, ...]:
        """The turns that no handoff has shown yet."""
        turns = list(self._turns)
        return tuple(turn.entry for turn in turns[self._handed_off :])

    def take_transcript_tail(self) -> tuple[TranscriptEntry, ...]:
        """Return the turns that no handoff has shown, once: they count as shown from now on."""
        tail = self.transcript_tail
        self._mark_handed_off()
        return tail

    def apply(self, event: events.RealtimeEvent) -> events.RealtimeEvent:
        """Take note of ``event`` and give it back, a handoff with its transcript filled in."""
        match event:
            case events.InputAudioSpeechStarted():
                self._fresh["user"] = True
            case events.ResponseCreated():
                self._fresh["assistant"] = True
                self.response_active = True
            case events.ResponseCancelled() | events.ResponseDone():
                self.response_active = False
            case events.InputTranscriptDelta(text):
                self._hear("user", text, _place(event), whole=False)
            case events.OutputTranscriptDelta(text):
                self._hear("assistant", text, _place(event), whole=False)
            case events.InputTranscriptDone(text):
                self._hear("user", text, _place(event), whole=True)
            case events.OutputTranscriptDone(text):
                self._hear("assistant", text, _place(event), whole=True)
            case events.HandoffRequested():
                return self._hand_off(event)
            case _:
                pass
        return event

    def restart(self) -> None:
        """Forget what belongs to a connection; the transcript stays."""
        self.response_active = False
        self._fresh = {"user": True, "assistant": True}

    def _hear(self, role: _Role, text: str, place: _Place, *, whole: bool) -> None:
        part = self._part_of(role, place)
        if part is None:
            fresh, self._fresh[role] = self._fresh[role], False
            last = self._turns[-1] if self._turns else None
            if not text:
                return
            if last is None or last.role != role or fresh or len(last.parts) >= _MAX_PARTS:
                self._add(role, text, place)
                return
            part = last.parts[-1]
            # What no item was named for may be the beginning of this one.
            if part.of is not None and place is not None:
                part = _Part(place, "")
                last.parts.append(part)
            elif whole and part.of is None:
                part.of = place
        if not text:
            return
        self._size -= part.size
        if whole:
            part.replace(text)
        else:
            part.append(text)
        self._size += part.size
        self._trim()

    def _part_of(self, role: _Role, place: _Place) -> _Part | None:
        """Find what a named item said so far, unless a handoff has shown it."""
        if place is None:
            return None
        untold = min(len(self._turns) - self._handed_off, _MAX_TURNS_BACK)
        # Nearly always it is the last part, and deltas are many.
        if untold and self._turns[-1].role == role and self._turns[-1].parts[-1].of == place:
            return self._turns[-1].parts[-1]
        turns = (turn for turn in islice(reversed(self._turns), untold) if turn.role == role)
        return next((part for turn in turns if (part := turn.part_of(place)) is not None), None)

    def _add(self, role: _Role, text: str, place: _Place = None) -> None:
        self._turns.append(_Turn(role, _Part(place, text)))
        self._size += len(text) + _TURN_COST
        self._trim()

    def _trim(self) -> None:
        while self._size > self._limit and len(self._turns) > 1:
            self._size -= self._turns.popleft().size + _TURN_COST
            self.dropped_entries += 1
            if self._handed_off:
                self._handed_off -= 1
            else:
                self._untold_drops += 1
        excess = self._size - self._limit - _TURN_COST
        if excess > 0:
            self._turns[0].cut_front(excess)
            self._size -= excess

    def _hand_off(self, event: events.HandoffRequested) -> events.HandoffRequested:
        request = event.input_transcript.strip()
        # Only what this handoff shows can make the request a repetition: the same words asked a
        # second time are a second request.
        known = any(
            entry.role == "user" and entry.text.strip() == request for entry in self.transcript_tail
        )
        if request and not known:
            self._add("user", request)
        filled = msgspec.structs.replace(
            event, active_transcript=self.transcript_tail, dropped_entries=self._untold_drops
        )
        self._mark_handed_off()
        return filled

    def _mark_handed_off(self) -> None:
        self._handed_off = len(self._turns)
        self._untold_drops = 0
        self._fresh = {"user": True, "assistant": True}


def _place(event: _Said) -> _Place:
    return None if event.item_id is None else (event.item_id, event.content_index)
