"""What an event of any type may carry besides its own content.

Servers put headers into events: of the response that the event holds, or at its top level. The
model that runs, the sticky turn state and the way out of a safety check travel like this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from codex_api import events
from codex_api._logic.incoming.direct_events import ABSENT
from codex_api._logic.incoming.error_body import read_any, read_as

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from codex_api._logic.incoming.direct_events import Fields
    from codex_api.events import ResponseEvent
    from codex_api.transport._core.headers import Headers
    from codex_api.types.turn_state import TurnState

METADATA_TYPE: Final = "response.metadata"

_MODEL_HEADERS: Final = ("openai-model", "x-openai-model")
_TURN_STATE_HEADER: Final = "x-codex-turn-state"
_FASTER_MODEL_HEADER: Final = "x-codex-safety-buffering-faster-model"


class _ResponseHead(msgspec.Struct):
    id: Raw = ABSENT
    headers: Raw = ABSENT


class _SafetyBuffering(msgspec.Struct):
    use_cases: list[str] = []
    reasons: list[str] = []
    retry_model: str | msgspec.UnsetType | None = msgspec.UNSET


class SideChannel:
    """Reads the sides of one response's events and remembers what counts for later ones.

    Args:
        turn_state: Cell that gets the turn state.
        headers: Headers of the HTTP answer, which may name a faster model; None on a WebSocket.

    Attributes:
        response_id: Id of the response, once an event named it.
        server_model: The model that the last event to name one named, or None.
    """

    __slots__ = ("_faster_model", "_turn_state", "response_id", "server_model")

    def __init__(self, turn_state: TurnState, headers: Headers | None = None) -> None:
        self.response_id: str | None = None
        self.server_model: str | None = None
        self._turn_state = turn_state
        self._faster_model = None if headers is None else headers.get(_FASTER_MODEL_HEADER)

    def read(self, tag: str, fields: Fields) -> Iterator[ResponseEvent]:
        """Yield the events that come before the event's own; they must all be taken."""
        head = read_as(_ResponseHead, fields.get("response", ABSENT)) or _ResponseHead()
        response_id = read_as(str, head.id)
        if response_id is not None:
            self.response_id = response_id
        headers = _header_map(fields.get("headers", ABSENT))
        if tag == METADATA_TYPE:
            turn_state = _header(headers, _TURN_STATE_HEADER)
            if turn_state is not None:
                self._turn_state.offer(turn_state)
        model = _header(_header_map(head.headers), *_MODEL_HEADERS)
        if model is None:
            model = _header(headers, *_MODEL_HEADERS)
        if model is not None and model != self.server_model:
            self.server_model = model
            yield events.ServerModel(model)
        if tag == METADATA_TYPE:
            yield from _metadata_events(fields.get("metadata", ABSENT))
        yield from self._safety_events(headers, fields.get("safety_buffering", ABSENT))

    def _safety_events(self, headers: Mapping[str, Raw], raw: Raw) -> Iterator[ResponseEvent]:
        faster_model = _header(headers, _FASTER_MODEL_HEADER)
        if faster_model is not None:
            self._faster_model = faster_model
        read = read_as(_SafetyBuffering, raw)
        if read is None:
            return
        # A null says that there is no faster model, which the header must not contradict.
        named = self._faster_model if read.retry_model is msgspec.UNSET else read.retry_model
        yield events.SafetyBuffering(read.use_cases, read.reasons, faster_model=named)


def _metadata_events(raw: Raw) -> Iterator[ResponseEvent]:
    metadata = read_as(dict[str, Raw], raw) or {}
    names = read_as(list[Any], metadata.get("openai_verification_recommendation", ABSENT)) or []
    known = {str(member): member for member in events.ModelVerification}
    wanted = dict.fromkeys(known[name] for name in names if isinstance(name, str) and name in known)
    if wanted:
        yield events.ModelVerifications(list(wanted))
    moderation = metadata.get("openai_chatgpt_moderation_metadata")
    if moderation is not None:
        yield events.TurnModerationMetadata(read_any(moderation))


def _header_map(raw: Raw) -> Mapping[str, Raw]:
    return read_as(dict[str, Raw], raw) or {}


def _header(headers: Mapping[str, Raw], *names: str) -> str | None:
    """Find one of ``names`` in headers written as JSON: a text, or the first one of a list."""
    for name, raw in headers.items():
        if name.lower() in names:
            text = _first_text(raw)
            if text is not None:
                return text
    return None


def _first_text(raw: Raw) -> str | None:
    while values := read_as(list[Raw], raw):
        raw = values[0]
    return read_as(str, raw)
