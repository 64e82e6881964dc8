"""From the messages of one realtime connection to events.

Realtime says deltas, failures and JSON that is none as response streams do, and they are read in
the same rooms: halves of characters are put together, and what is JSON to others is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from codex_api._logic.incoming import repair
from codex_api._logic.incoming.cut_characters import CutCharacters
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.outgoing.surrogates import may_hold_halves
from codex_api.types.realtime_events import RealtimeErrorEvent, RealtimeOtherEvent

if TYPE_CHECKING:
    from codex_api._logic.realtime.dialects.dialect import Dialect
    from codex_api.types.realtime_events import RealtimeEvent


class FrameReader:
    """Read the messages of one connection, in their order.

    Args:
        dialect: The version that the server speaks.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._cut = CutCharacters()

    def read(self, message: str | bytes) -> list[RealtimeEvent]:
        """Read one message; mostly that is one event."""
        if isinstance(message, bytes):
            words = "the server sent a binary message, which realtime does not have"
            return [RealtimeErrorEvent(words)]
        return self._read(message.encode("utf-8", "surrogatepass"))

    def _read(self, payload: bytes) -> list[RealtimeEvent]:
        found: list[RealtimeEvent] = []
        if self._cut.are_held or may_hold_halves(payload):
            payload = self._cut.joined(payload)
            found += self._lone_before(payload)
        event = self._dialect.decode(payload)
        if isinstance(event, RealtimeOtherEvent) and not event.type:
            found += self._mended(payload) or [event]
        else:
            found.append(event)
        return found

    def _lone_before(self, payload: bytes) -> list[RealtimeEvent]:
        if not self._cut.are_held:
            return []
        fields = read_as(dict[str, msgspec.Raw], payload) or {}
        tag = read_as(str, fields.get("type", msgspec.Raw())) or ""
        lone = [self._dialect.decode(delta) for delta in self._cut.lone_at(tag, fields)]
        for event in lone:
            if not isinstance(event, RealtimeOtherEvent):
                # The server sent no such message.
                msgspec.structs.force_setattr(event, "raw", None)
        return lone

    def _mended(self, payload: bytes) -> list[RealtimeEvent]:
        if (mended := repair.repaired(payload)) is not None:
            return self._read(mended)
        return [event for each in repair.payloads_in(payload) for event in self._read(each)]
