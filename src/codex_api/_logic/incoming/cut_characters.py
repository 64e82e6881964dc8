"""Characters that were cut in two between two deltas of one part.

Servers that cut a text by UTF-16 units send half an emoji at the end of a delta, and the rest of it
in the next one. Either half is no text by itself, but both are the character.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from msgspec import Raw

from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.terminal import TERMINAL_TYPES
from codex_api._logic.outgoing.surrogates import without_halves

if TYPE_CHECKING:
    from codex_api._logic.incoming.direct_events import Fields

_Place: TypeAlias = tuple[bytes, ...]

_ABSENT: Final = Raw()
_DELTA: Final = ".delta"
_ENDS_PART: Final = (".done", ".completed", ".turn_marked")
_PART: Final = ("type", "content_index", "summary_index")
_INDEX: Final = "output_index"
_ITEM_ID: Final = "item_id"
# Decoders refuse the event as a whole, so the text is looked for before it is decoded.
_DELTA_FIELD: Final = cache(partial(re.compile, rb'"delta"\s*:\s*("(?:[^"\\]|\\.)*+")', re.DOTALL))
# Not after a backslash that is itself escaped.
_ENDS_CUT: Final = cache(
    partial(re.compile, rb'(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2})"\Z')
)


class CutCharacters:
    """Hold first halves back until their second ones come.

    Attributes:
        are_held: Whether a first half is waiting. Then every payload has to be shown.
    """

    def __init__(self) -> None:
        self.are_held: bool = False
        self._held: dict[_Place, tuple[bytes, Fields]] = {}

    def joined(self, payload: bytes) -> bytes:
        """Return a payload with whole characters only.

        A delta that begins with a second half gets the first one, and loses one that it ends with.
        A half that has no other becomes U+FFFD.
        """
        clean = without_halves(payload)
        fields = read_as(dict[str, Raw], clean)
        if fields is None or not _is_delta(fields):
            return clean
        found = _DELTA_FIELD().search(payload)
        delta = bytes(fields.get("delta", _ABSENT))
        if found is None or without_halves(found[1]) != delta:
            return clean
        place = _place_of(fields)
        first, _ = self._held.pop(place, (b"", fields))
        whole = b'"' + first + found[1][1:]
        if (cut := _ENDS_CUT().search(whole)) is not None:
            self._held[place] = cut[1], fields
            whole = whole[: cut.start(1)] + b'"'
        self.are_held = bool(self._held)
        whole = without_halves(whole)
        return clean if whole == delta else _with_delta(fields, whole)

    def lone_at(self, tag: str, event: Fields) -> list[bytes]:
        """Return the deltas of those halves whose others do not come before an event.

        Args:
            tag: Wire type of the event, which may end a part, an item or the response.
            event: The event itself.
        """
        if not self.are_held:
            return []
        if not (tag in TERMINAL_TYPES or tag.endswith(_ENDS_PART)):
            return []
        over = [
            place
            for place, (_, held) in self._held.items()
            if _family(read_as(str, held["type"]) or "") == _family(tag)
            and (tag in TERMINAL_TYPES or not _are_apart(held, event))
        ]
        lone = [self._held.pop(place)[1] for place in over]
        self.are_held = bool(self._held)
        # Not numbered: the number of such a delta has been told before.
        return [
            _with_delta(
                {name: value for name, value in fields.items() if name != "sequence_number"},
                b'"\\ufffd"',
            )
            for fields in lone
        ]


def _place_of(fields: Fields) -> _Place:
    # Servers that encrypt the ids of items give another one with each event; the index stays.
    item = fields.get(_INDEX, fields.get(_ITEM_ID, _ABSENT))
    return (bytes(item), *(bytes(fields.get(name, _ABSENT)) for name in _PART))


def _are_apart(held: Fields, event: Fields) -> bool:
    """Return whether two events say that they are about two items."""
    name = _ITEM_ID if _INDEX not in held else _INDEX
    return name in held and name in event and bytes(held[name]) != bytes(event[name])


def _family(tag: str) -> str:
    # Realtime sessions hear a user while a response goes on.
    return tag.partition(".")[0]


def _is_delta(fields: Fields) -> bool:
    return (read_as(str, fields.get("type", _ABSENT)) or "").endswith(_DELTA)


def _with_delta(fields: Fields, delta: bytes) -> bytes:
    return msgspec.json.encode({**fields, "delta": Raw(delta)})
