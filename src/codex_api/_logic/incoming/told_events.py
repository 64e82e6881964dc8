"""The few events of every stream that are no deltas, read in one go.

Servers mostly send them in the same form. Where a member has another one, or says more than
expected, ``read_told`` gives None, and the event is read field by field; both ways give the same.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from codex_api import events
from codex_api._logic.incoming.direct_events import (
    ABSENT,
    Ending,
    Told,
    ToldItem,
    ToldItemDone,
)
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.item_codec import decode_item
from codex_api._logic.incoming.item_events import at_index, is_object
from codex_api._logic.incoming.terminal import (
    Terminal,
    UsualResponse,
    read_usual,
    usual_terminal,
)


class Reading(msgspec.Struct, frozen=True):
    """What one payload said.

    Attributes:
        response_id: Id of the response, or None when the payload does not tell it.
        terminal: What the end of the response says, or None before the end.
    """

    event: events.ResponseEvent
    response_id: str | None = None
    terminal: Terminal | None = None


class _Head(msgspec.Struct):
    id: str | None = None
    headers: Raw = ABSENT


def read_told(event: Told, payload: bytes, known_id: str | None) -> Reading | None:
    """Read an event; None for one that has to be read field by field.

    Args:
        event: As the direct decoder gave it, which may refer to a buffer of many events.
        payload: The event's own bytes.
        known_id: Id of the response, as far as it was told before.
    """
    if not _is_plain(payload):
        return None
    if isinstance(event, ToldItem):
        return _item(event)
    return _ending(event, known_id) if isinstance(event, Ending) else _opening(event)


def _item(event: ToldItem) -> Reading | None:
    if event.response or not is_object(event.item):
        return None
    raw, index = event.item.copy(), event.output_index
    if isinstance(event, ToldItemDone):
        return Reading(at_index(events.OutputItemDone(decode_item(raw), raw), index))
    return Reading(at_index(events.OutputItemAdded(decode_item(raw), raw), index))


def _opening(event: Told) -> Reading | None:
    head = read_as(_Head, event.response)
    if head is None or head.headers:
        return None
    return Reading(events.Created(head.id), head.id)


def _ending(event: Ending, known_id: str | None) -> Reading | None:
    response = event.response.copy()
    read = read_usual(response, UsualResponse)
    if read is None or read.headers:
        return None
    terminal = usual_terminal("response.completed", response, read, event.error)
    if terminal.outcome != "completed":
        return None
    response_id = known_id if read.id is None else read.id
    return Reading(completed(terminal, response_id), read.id, terminal)


def completed(terminal: Terminal, known_id: str | None) -> events.Completed:
    """Make the event of a response that came to its end."""
    response_id = terminal.id or known_id or ""
    event = events.Completed(response_id, terminal.usage, terminal.end_turn)
    msgspec.structs.force_setattr(event, "raw_response", terminal.raw)
    return event


def _is_plain(payload: bytes) -> bool:
    """Return whether a payload that was decoded is UTF-8, down to what was kept raw of it."""
    if payload.isascii():
        return True
    try:
        str(payload, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
