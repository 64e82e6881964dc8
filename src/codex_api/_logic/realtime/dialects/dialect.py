"""What a protocol version must be able to say and to understand, and what the versions share.

A dialect turns intentions into text frames and text frames into events. It holds no state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Final, Protocol, TypeAlias, TypeVar

import msgspec

from codex_api._logic.incoming.error_body import ErrorDetail, read_as, read_fitting
from codex_api._logic.incoming.failure_body import NO_ERROR, is_failure, read_failure
from codex_api.transport._core.messages import encode_json
from codex_api.types import realtime_events as events

if TYPE_CHECKING:
    from codex_api.types.realtime import (
        RealtimeRole,
        RealtimeSessionConfig,
        RealtimeVersion,
    )

JsonObject: TypeAlias = dict[str, object]
Decoder: TypeAlias = Callable[[bytes], events.RealtimeEvent | None]

FINAL_MESSAGE_PREFIX: Final = '"Agent Final Message":\n\n'
"""Opens the text of an agent's final answer where the dialect has no message of its own for it."""

Count: TypeAlias = Annotated[int, msgspec.Meta(gt=0)]
"""Of channels, or of samples a second: sound without either has no length."""

_WORDLESS: Final = "the server reports a failure and says nothing of it"

PCM_FORMAT: Final[JsonObject] = {"type": "audio/pcm", "rate": 24_000}


class Dialect(Protocol):
    """One protocol version. A module of this folder has one, and ``registry`` names it.

    Attributes:
        version: Its name in ``RealtimeSessionConfig``.
        alpha: Value of ``openai-alpha``; None sends no such field.
        intent: Value of the query's ``intent``; None sends none.
        is_live: Whether it lives at ``live`` and not at ``realtime``: a session of its own greets
            before anything else, one that joins a call has the call's id in its path and sends no
            configuration, and calls are not routed.
        no_calls: Why it has no WebRTC calls; None when it has them.
    """

    version: RealtimeVersion
    alpha: str | None
    intent: str | None
    is_live: bool
    no_calls: str | None

    def session(self, config: RealtimeSessionConfig) -> JsonObject:
        """Return the session object, ``id`` and ``model`` included when they are set."""
        ...

    def session_update(self, config: RealtimeSessionConfig) -> str:
        """Return the message that sets the session's configuration."""
        ...

    def audio_append(self, audio_base64: str) -> str:
        """Return the message that carries sound."""
        ...

    def item_create(self, text: str, role: RealtimeRole) -> list[str]:
        """Return the messages that add ``text`` to the conversation."""
        ...

    def handoff_append(self, handoff_id: str, text: str) -> list[str]:
        """Return the messages that report progress on a handoff."""
        ...

    def standalone_handoff(self, handoff_id: str, text: str) -> list[str]:
        """Return the messages for news that no handoff asked for.

        Raises:
            InvalidRequestError: The version has no such message.
        """
        ...

    def function_call_output(self, call_id: str, text: str) -> list[str]:
        """Return the messages that end a handoff with ``text``."""
        ...

    def response_create(self) -> str:
        """Return the message that asks the model to answer now.

        Raises:
            InvalidRequestError: The version has no such message.
        """
        ...

    def closing(self) -> list[str]:
        """Return the messages to send before the close frame."""
        ...

    def decode(self, frame: bytes) -> events.RealtimeEvent:
        """Read one text frame; anything not understood becomes ``RealtimeOtherEvent``."""
        ...


def encode(value: object) -> str:
    """Encode an outbound message.

    Raises:
        RequestBuildError: A text in it is not valid Unicode.
    """
    return encode_json(value).decode()


class _Head(msgspec.Struct):
    type: str


_HEAD = msgspec.json.Decoder(_Head)

# The decoder recurses: a frame nested too deeply is not understood, and must not end the session.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def decode_frame(frame: bytes, decoders: Mapping[str, Decoder]) -> events.RealtimeEvent:
    """Read ``frame`` with the decoder that its ``type`` names.

    A decoder that refuses, or gives None, leaves the frame as it is. What says in another way that
    it is a failure is one.
    """
    try:
        kind = _HEAD.decode(frame).type
    except UNREADABLE:
        kind = ""
    decoder = decoders.get(kind) or (ERROR if _says_failure(frame, kind) else None)
    event: events.RealtimeEvent | None = None
    if decoder is not None:
        try:
            event = decoder(frame)
        except UNREADABLE:
            event = None
    if event is None:
        return events.RealtimeOtherEvent(kind, msgspec.Raw(frame))
    # Nobody else has seen the event yet; another copy would cost as much as the decoding.
    msgspec.structs.force_setattr(event, "raw", msgspec.Raw(frame))
    return event


_T = TypeVar("_T", bound=msgspec.Struct)


def reader(wire: type[_T], build: Callable[[_T], events.RealtimeEvent | None]) -> Decoder:
    """Compose a decoder of ``wire`` with what makes the event of it.

    A member that does not fit is absent and costs no other.
    """

    def read(frame: bytes) -> events.RealtimeEvent | None:
        told = read_fitting(wire, frame)
        return None if told is None else build(told)

    return read


def _says_failure(frame: bytes, kind: str) -> bool:
    fields = read_as(dict[str, msgspec.Raw], frame)
    return fields is not None and is_failure(fields, kind or None)


class _SessionBody(msgspec.Struct):
    id: str
    instructions: str | None = None


class _Session(msgspec.Struct):
    session: _SessionBody


class Spoken(msgspec.Struct, kw_only=True):
    """Of which part of which item something was said.

    Attributes:
        item_id: None when not given.
        content_index: None when not given.
    """

    item_id: str | None = None
    content_index: int | None = None


class _Delta(Spoken):
    delta: str


class _Transcript(Spoken):
    transcript: str


class _ItemAdded(msgspec.Struct):
    item: msgspec.Raw


class _ItemId(msgspec.Struct):
    id: str


class _ItemDone(msgspec.Struct):
    item: _ItemId


class _Answered(msgspec.Struct):
    event_id: str | None = None


class _Failure(msgspec.Struct):
    message: str | None = None
    error: msgspec.Raw = msgspec.Raw()


def _error(frame: bytes) -> events.RealtimeErrorEvent | None:
    told = read_fitting(_Failure, frame) or _Failure()
    detail = read_failure(frame) or ErrorDetail()
    words = "" if bytes(told.error) in NO_ERROR else bytes(told.error).decode()
    if not (told.message or words or detail.message or detail.code or detail.param):
        return None
    # Beside the error the event's own id stands; inside it, that of the event it answers.
    answered = read_fitting(_Answered, told.error) or _Answered()
    return events.RealtimeErrorEvent(
        told.message or detail.message or words or _WORDLESS,
        detail.code,
        detail.type,
        detail.param,
        answered.event_id,
    )


SESSION: Final = reader(
    _Session, lambda w: events.SessionUpdated(w.session.id, w.session.instructions)
)
INPUT_DELTA: Final = reader(
    _Delta, lambda w: events.InputTranscriptDelta(w.delta, w.item_id, w.content_index)
)
INPUT_DONE: Final = reader(
    _Transcript, lambda w: events.InputTranscriptDone(w.transcript, w.item_id, w.content_index)
)
OUTPUT_DELTA: Final = reader(
    _Delta, lambda w: events.OutputTranscriptDelta(w.delta, w.item_id, w.content_index)
)
OUTPUT_DONE: Final = reader(
    _Transcript, lambda w: events.OutputTranscriptDone(w.transcript, w.item_id, w.content_index)
)
ITEM_ADDED: Final = reader(_ItemAdded, lambda w: events.ConversationItemAdded(w.item.copy()))
ITEM_DONE: Final = reader(_ItemDone, lambda w: events.ConversationItemDone(w.item.id))
ERROR: Final = _error


def message_item(text: str, role: RealtimeRole) -> str:
    """Return the message that creates a conversation item; v1 and v2 agree on it."""
    kind = "output_text" if role == "assistant" else "input_text"
    return encode(
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": role,
                "content": [{"type": kind, "text": text}],
            },
        }
    )


def identified(config: RealtimeSessionConfig, kind: str) -> JsonObject:
    """Open a session object: id, type and model, in the order they are sent."""
    session: JsonObject = {}
    if config.session_id is not None:
        session["id"] = config.session_id
    session["type"] = kind
    if config.model is not None:
        session["model"] = config.model
    return session


def update_message(session: JsonObject) -> str:
    """Wrap a session object for the connection, where neither ``id`` nor ``model`` is sent."""
    body = {key: value for key, value in session.items() if key not in {"id", "model"}}
    return encode({"type": "session.update", "session": body})
