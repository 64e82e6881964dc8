"""What the client wants, in one form for all protocol versions."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.testing.wire import JsonObject

Kind: TypeAlias = Literal["update", "audio", "text", "agent", "respond", "ignored", "bye", "bad"]


# Marks an agent's last word in the versions that have no message of its own for it.
_FINAL_PREFIX: Final = '"Agent Final Message":\n\n'


class Intent(NamedTuple):
    """One message of the client.

    Attributes:
        text: Of an item, of an agent, or what is wrong with the message.
        pcm16: Sound, 24 kHz mono.
        body: The session of an update, the item, or what a response is to be like.
    """

    kind: Kind
    text: str = ""
    pcm16: bytes = b""
    body: JsonObject = {}  # noqa: RUF012 - never changed


def understand(message: str) -> Intent:
    """Read a message of the client."""
    try:
        body = json.loads(message)
        read = _READERS.get(kind := body["type"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return Intent("bad", "the message is no JSON object with a type")
    return Intent("bad", f"unknown message type: {kind}") if read is None else read(body)


def _object(value: object) -> JsonObject:
    try:
        return msgspec.convert(value, dict[str, object])
    except msgspec.ValidationError:
        return {}


def _audio(body: JsonObject) -> Intent:
    data = body.get("audio")
    try:
        if isinstance(data, str):
            return Intent("audio", pcm16=base64.b64decode(data, validate=True))
    except ValueError:
        pass
    return Intent("bad", "audio must be base64")


def _item(body: JsonObject) -> Intent:
    item = _object(body.get("item"))
    if item.get("type") == "function_call_output":
        return _agent(str(item.get("output", "")), item)
    return Intent("text", _text(item.get("content")), body=item)


def _agent(text: str, item: JsonObject | None = None) -> Intent:
    return Intent("agent", text.removeprefix(_FINAL_PREFIX), body=item or {})


def _context(body: JsonObject) -> Intent:
    return Intent("text", _text(body.get("content")), body={"type": "message", "role": "user"})


def _text(content: object) -> str:
    try:
        parts = msgspec.convert(content, list[dict[str, object]])
    except msgspec.ValidationError:
        return ""
    return "".join(str(part.get("text", "")) for part in parts)


def _ignored(_: JsonObject) -> Intent:
    return Intent("ignored")


_READERS: Final[dict[str, Callable[[JsonObject], Intent]]] = {
    "session.update": lambda body: Intent("update", body=_object(body.get("session"))),
    "session.close": lambda _: Intent("bye"),
    "session.context.append": _context,
    "input_audio_buffer.append": _audio,
    "input_audio.append": _audio,
    "conversation.item.create": _item,
    "conversation.handoff.append": lambda body: _agent(str(body.get("output_text", ""))),
    "delegation.context.append": lambda body: _agent(_text(body.get("content"))),
    "response.create": lambda body: Intent("respond", body=_object(body.get("response"))),
    "conversation.item.truncate": _ignored,
    "conversation.item.delete": _ignored,
    "conversation.item.retrieve": _ignored,
    "input_audio_buffer.clear": _ignored,
    "input_audio_buffer.commit": _ignored,
    "output_audio_buffer.clear": _ignored,
    "response.cancel": _ignored,
}
