"""What the server has to say, before a protocol version puts it into messages."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from codex_api.testing.wire import JsonObject

Version: TypeAlias = Literal["v1", "v2", "v3"]
Fact: TypeAlias = Literal[
    "created",
    "updated",
    "speech_started",
    "heard_delta",
    "heard",
    "item_added",
    "response_started",
    "audio",
    "said_delta",
    "said",
    "response_done",
    "function_called",
    "handoff",
    "noop",
    "error",
]


@dataclass(frozen=True, slots=True)
class Saying:
    """The details of one fact; each fact needs some of them.

    Attributes:
        text: What was heard or said, the request of a handoff, or the text of an error.
        first: Whether it is the session's first update.
        spoken: Whether an answer is sound and not only text.
        at_ms: Where in the sound that was heard it happened.
        config: Settings of the session, as the client gave them.
        call: Name, id and arguments of a function.
        output: Items of a response that is over.
    """

    text: str = ""
    session_id: str = ""
    instructions: str | None = None
    first: bool = False
    item_id: str = ""
    response_id: str = ""
    item: JsonObject = field(default_factory=dict[str, object])
    pcm16: bytes = b""
    spoken: bool = True
    at_ms: int = 0
    config: JsonObject = field(default_factory=dict[str, object])
    call: tuple[str, str, str] = ("", "", "")
    output: tuple[JsonObject, ...] = ()

    @property
    def audio(self) -> str:
        """The sound in base64."""
        return base64.b64encode(self.pcm16).decode("ascii")

    @property
    def session(self) -> JsonObject:
        """The session as updates tell it back."""
        told: JsonObject = {"id": self.session_id}
        if self.instructions is not None:
            told["instructions"] = self.instructions
        return told


Voice: TypeAlias = Mapping[Fact, Callable[[Saying], list[JsonObject]]]
"""How a version says what; it stays silent on facts that are not in it."""


def error(saying: Saying) -> list[JsonObject]:
    """Return the error message, which all versions share."""
    cause = {"type": "invalid_request_error", "message": saying.text}
    return [{"type": "error", "error": cause}]
