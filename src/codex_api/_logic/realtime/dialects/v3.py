"""Version 3 of the realtime protocol: one stream both ways, delegations in place of handoffs.

Texts longer than ``TEXT_LIMIT_BYTES`` go out in pieces, cut between characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from codex_api._logic.incoming.error_body import read_as, read_fitting
from codex_api._logic.realtime.dialects import dialect
from codex_api.errors import InvalidRequestError
from codex_api.types import realtime_events as events
from codex_api.types.realtime import RealtimeAudioFrame, RealtimeVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codex_api._logic.realtime.dialects.dialect import Decoder, JsonObject
    from codex_api.types.realtime import RealtimeRole, RealtimeSessionConfig

TEXT_LIMIT_BYTES: Final = 500


class _Audio(msgspec.Struct):
    audio: str


class _TextItem(msgspec.Struct):
    text: str


class _Added(msgspec.Struct):
    item: _TextItem


class _TurnBody(msgspec.Struct):
    role: str
    transcript: str


class _Turn(msgspec.Struct):
    turn: _TurnBody


class _Part(msgspec.Struct):
    type: str | None = None
    text: str | None = None


class _Target(msgspec.Struct):
    type: str | None = None


class _Delegation(msgspec.Struct):
    type: str
    target: msgspec.Raw
    id: str
    content: msgspec.Raw = msgspec.Raw()


class _Delegated(msgspec.Struct):
    item: _Delegation


def _added(build: Callable[[str], events.RealtimeEvent]) -> Decoder:
    return dialect.reader(_Added, lambda w: build(w.item.text))


def _turn_done(wire: _Turn) -> events.RealtimeEvent | None:
    if wire.turn.role == "user":
        return events.InputTranscriptDone(wire.turn.transcript)
    if wire.turn.role == "assistant":
        return events.OutputTranscriptDone(wire.turn.transcript)
    return None


def _delegated(wire: _Delegated) -> events.HandoffRequested | None:
    item = wire.item
    # A plain name, or an object with a type as "delegation" is in the session.
    target = read_as(str, item.target) or (read_fitting(_Target, item.target) or _Target()).type
    if item.type != "delegation" or target != "client":
        return None
    parts = (read_fitting(_Part, part) for part in read_as(list[msgspec.Raw], item.content) or ())
    texts = (part.text or "" for part in parts if part is not None and part.type == "input_text")
    return events.HandoffRequested(item.id, item.id, read_as(str, item.content) or "".join(texts))


_DECODERS: Final[dict[str, Decoder]] = {
    "session.started": dialect.SESSION,
    "session.updated": dialect.SESSION,
    "output_audio.delta": dialect.reader(
        _Audio, lambda w: events.AudioOut(RealtimeAudioFrame(w.audio, 24_000, 1))
    ),
    "input_transcript.added": _added(events.InputTranscriptDelta),
    "output_transcript.added": _added(events.OutputTranscriptDelta),
    "turn.done": dialect.reader(_Turn, _turn_done),
    "delegation.created": dialect.reader(_Delegated, _delegated),
    "error": dialect.ERROR,
}


def chunks(text: str, limit_bytes: int = TEXT_LIMIT_BYTES) -> Iterator[str]:
    """Cut ``text`` into pieces of at most ``limit_bytes`` UTF-8 bytes, between characters.

    An empty text is one empty piece.
    """
    data = text.encode("utf-8", "surrogatepass")
    start = 0
    while len(data) - start > limit_bytes:
        end = start + limit_bytes
        # A continuation byte (10xxxxxx) cannot open the next piece.
        while data[end] & 0xC0 == 0x80:  # noqa: PLR2004 - bit pattern of UTF-8
            end -= 1
        yield data[start:end].decode("utf-8", "surrogatepass")
        start = end
    yield data[start:].decode("utf-8", "surrogatepass")


class V3:
    """Version 3."""

    version: RealtimeVersion = "v3"
    alpha: str | None = "quicksilver=v2"
    intent: str | None = None
    is_live: bool = True
    no_calls: str | None = None

    def session(self, config: RealtimeSessionConfig) -> JsonObject:
        """Return the session object; it has neither id nor type."""
        session: JsonObject = {
            "instructions": config.instructions,
            "audio": {"output": {"voice": config.effective_voice}},
            "delegation": {"type": "client"},
        }
        if config.model is not None:
            session["model"] = config.model
        return session

    def session_update(self, config: RealtimeSessionConfig) -> str:
        """Return the message that sets the session's configuration."""
        return dialect.update_message(self.session(config))

    def audio_append(self, audio_base64: str) -> str:
        """Return the message that carries sound."""
        return dialect.encode({"type": "input_audio.append", "audio": audio_base64})

    def item_create(self, text: str, role: RealtimeRole) -> list[str]:
        """Return the messages that add ``text`` to the conversation, whoever is its author."""
        _ = role
        return [
            dialect.encode({"type": "session.context.append", "content": _content(piece)})
            for piece in chunks(text)
        ]

    def handoff_append(self, handoff_id: str, text: str) -> list[str]:
        """Return the messages that report progress on a delegation."""
        return [
            dialect.encode(
                {
                    "type": "delegation.context.append",
                    "delegation_item_id": handoff_id,
                    "content": _content(piece),
                }
            )
            for piece in chunks(text)
        ]

    def standalone_handoff(self, handoff_id: str, text: str) -> list[str]:
        """Return the messages for news that no delegation asked for."""
        _ = handoff_id
        return self.item_create(text, "developer")

    def function_call_output(self, call_id: str, text: str) -> list[str]:
        """Return the messages that end a delegation with ``text``."""
        return self.handoff_append(call_id, dialect.FINAL_MESSAGE_PREFIX + text)

    def response_create(self) -> str:
        """Refuse: the model decides by itself when it speaks."""
        message = "realtime v3 has no message that asks for a response"
        raise InvalidRequestError(message)

    def closing(self) -> list[str]:
        """Return the goodbye that precedes the close frame."""
        return [dialect.encode({"type": "session.close"})]

    def decode(self, frame: bytes) -> events.RealtimeEvent:
        """Read one text frame."""
        return dialect.decode_frame(frame, _DECODERS)


def _content(text: str) -> list[JsonObject]:
    return [{"type": "input_text", "text": text}]
