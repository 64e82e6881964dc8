"""Looking at what passes between the application and its clients, without changing it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codex_api.testing.faults import TERMINAL_TYPES
from codex_api.testing.wire import decoded_object, object_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Send

    from codex_api.testing.wire import JsonObject

_CHUNK = "chat.completion.chunk"
_PICTURES = frozenset({"image_generation.completed", "image_edit.completed"})


@dataclass(slots=True)
class ServedRequest:
    """One request, or one frame that asks for a response, and what became of it.

    Attributes:
        method: That of HTTP; ``WS`` is a frame on a WebSocket.
        path: Without its query, which may hold a credential.
        status: None when the connection ended before the head of the answer.
        seconds: From the whole request to the end of its answer.
        events: How many were sent.
        body: Of the request, where it is a JSON object.
        outcome: Type of the last event without ``response.``, such as ``completed``; empty for
            answers that are no events, ``gone`` when the stream has no such end.
        usage: Tokens as told in the answer, or None.
    """

    method: str
    path: str
    status: int | None = None
    seconds: float = 0.0
    events: int = 0
    body: JsonObject = field(default_factory=dict[str, Any])
    outcome: str = ""
    usage: JsonObject | None = None

    def note(self, payload: JsonObject) -> bool:
        """Take note of an event, and return whether it ends the response."""
        self.events += 1
        kind = str(payload.get("type"))
        if payload.get("object") == _CHUNK:
            return self._note_chunk(payload)
        if kind in _PICTURES:
            self.outcome, self.usage = "completed", tokens_of(payload)
            return True
        if kind not in TERMINAL_TYPES and kind != "error":
            return False
        self.outcome = kind.removeprefix("response.")
        self.usage = tokens_of(object_of(payload.get("response")))
        return True

    def _note_chunk(self, chunk: JsonObject) -> bool:
        """Take note of a piece of a chat completion; its tokens may come after its end."""
        choices: list[JsonObject] = chunk.get("choices") or []
        reason = next((choice.get("finish_reason") for choice in choices), None)
        if reason is not None:
            self.outcome = "incomplete" if reason == "length" else "completed"
        self.usage = tokens_of(chunk)
        return bool(self.outcome) and (self.usage is not None or "usage" not in chunk)


def tokens_of(answer: JsonObject) -> JsonObject | None:
    """Return the usage that an answer tells, under the names that responses have for it."""
    usage = object_of(answer.get("usage"))
    if "prompt_tokens" not in usage:
        return usage or None
    return {
        **usage,
        "input_tokens": usage["prompt_tokens"],
        "output_tokens": usage.get("completion_tokens"),
    }


class WatchedExchange:
    """Looks at an HTTP exchange as it passes.

    Args:
        served: The note to fill in.
        receive: The client's side.
        send: Also the client's side.
        when_known: Called with the note before the bytes leave that tell how a response ended, so
            that a client that has read them finds its consequences.
    """

    def __init__(
        self,
        served: ServedRequest,
        receive: Receive,
        send: Send,
        when_known: Callable[[ServedRequest], None] | None = None,
    ) -> None:
        self._served = served
        self._receive, self._send, self._when_known = receive, send, when_known
        self._asked, self._answered = bytearray(), bytearray()
        self._looked_at = 0
        self._is_stream = self._is_json = self._is_whole = False

    async def receive(self) -> Message:
        """Pass a message of the client on."""
        message = await self._receive()
        if message["type"] == "http.request" and "/blobs/" not in self._served.path:
            self._asked += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the server on."""
        if message["type"] == "http.response.start":
            self._served.status = message["status"]
            kind = dict(message.get("headers", ())).get(b"content-type", b"")
            self._is_stream = kind.startswith(b"text/event-stream")
            self._is_json = kind.startswith(b"application/json")
        elif message["type"] == "http.response.body":
            self._body(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
            if self._is_whole and self._is_json:
                self._read_answer()
        await self._send(message)

    def end(self) -> None:
        """Make the note complete."""
        self._served.body = decoded_object(bytes(self._asked))
        if self._is_json and not self._is_whole:
            self._read_answer()
        if (self._is_stream and not self._served.outcome) or not self._is_whole:
            self._served.outcome = "gone"

    def _read_answer(self) -> None:
        answer = decoded_object(bytes(self._answered))
        self._served.usage = tokens_of(answer)
        error = object_of(answer.get("error"))
        self._served.outcome = str(error.get("code") or error.get("type") or "")
        self._tell()

    def _tell(self) -> None:
        if self._when_known is not None:
            self._when_known(self._served)

    def _body(self, data: bytes) -> None:
        if not self._is_stream and not self._is_json:
            return
        self._answered += data
        while self._is_stream:
            # What was looked at before is not looked at again, were it a byte at a time.
            end = self._answered.find(b"\n\n", self._looked_at)
            if end < 0:
                self._looked_at = max(0, len(self._answered) - 1)
                return
            block = bytes(self._answered[:end])
            del self._answered[: end + 2]
            self._looked_at = 0
            lines = [line[5:] for line in block.split(b"\n") if line.startswith(b"data:")]
            if lines and self._served.note(decoded_object(b"\n".join(lines))):
                self._tell()


class WatchedSocket:
    """Looks at the frames of a WebSocket as they pass."""

    def __init__(
        self,
        served: ServedRequest,
        receive: Receive,
        send: Send,
        tell: Callable[[ServedRequest], None],
    ) -> None:
        self._served = served
        self._receive, self._send, self._tell = receive, send, tell
        self._turn: ServedRequest | None = None
        self._began = 0.0

    async def receive(self) -> Message:
        """Pass a message of the client on."""
        message = await self._receive()
        if message["type"] == "websocket.receive":
            frame = decoded_object(message.get("text") or b"")
            if frame.get("type") == "response.create" and self._turn is None:
                self._turn = ServedRequest("WS", self._served.path, 200, body=frame)
                self._began = time.monotonic()
        return message

    async def send(self, message: Message) -> None:
        """Pass a message of the server on."""
        if message["type"] == "websocket.accept":
            self._served.status = 101
        elif message["type"] == "websocket.http.response.start":
            self._served.status = message["status"]
        elif message["type"] == "websocket.send" and self._turn is not None:
            payload = decoded_object(message.get("text") or b"")
            if self._turn.note(payload):
                self._turn.status = payload.get("status", 200)
                self._finish(self._turn)
        await self._send(message)

    def end(self) -> None:
        """Report a response that did not come to its end."""
        if self._turn is not None:
            self._turn.outcome = "gone"
            self._finish(self._turn)

    def _finish(self, turn: ServedRequest) -> None:
        turn.seconds = time.monotonic() - self._began
        self._turn = None
        self._tell(turn)
