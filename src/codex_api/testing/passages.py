"""What passed between a test's program and a server, kept to be told when the test fails.

Nothing here changes what passes, and nothing that cannot be read stops it. Told are methods, paths,
models, the beginning of the last text of a request, names of events and their times: no header, and
no query, which may hold a credential.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from codex_api.testing.faults import TERMINAL_TYPES
from codex_api.testing.wire import decoded_object, object_of
from codex_api.transport import SSEDecoder
from codex_api.transport.errors import CodexApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping

    from codex_api.testing.cassettes import Exchange
    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.wire import JsonObject

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_MOST_TEXT = 60
_MOST_KEPT_BYTES = 1 << 20
_MOST_PASSAGES = 20
_MOST_RUNS = 14
_MOST_RUNS_OF_A_SOCKET = 60
_MILLISECONDS_UP_TO = 1.0
_FIRST_BAD_STATUS = 400


@dataclass(slots=True)
class Passage:
    """One request and its answer, or one WebSocket.

    Attributes:
        at: Seconds since the server began to listen.
        body: Of the request, where it is a JSON object.
        status: None until the head of the answer has come.
        marks: Type of each event, and the seconds since the request; of a WebSocket with ``<`` or
            ``>`` for the side that sent it.
        seconds: How long it took; None while it goes on.
        is_whole: Whether the answer came to its end.
        note: What else is to be said of it.
    """

    method: str
    path: str
    at: float = 0.0
    body: JsonObject = field(default_factory=dict[str, Any])
    status: int | None = None
    marks: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    seconds: float | None = None
    is_whole: bool = False
    note: str = ""

    def lines(self) -> Iterator[str]:
        """Tell it: a line for the request, and one for each run of events of one type."""
        parts = [f"+{self.at:.3f} s {self.method} {_escaped(self.path)} {self.status or '---'}"]
        if self.marks:
            parts.append(f"{len(self.marks)} events")
        parts.append("still open" if self.seconds is None else duration(self.seconds))
        parts += [self._ending(), _escaped(str(self.body.get("model") or ""))]
        if text := last_text(self.body.get("input")):
            parts.append(json.dumps(_escaped(text[:_MOST_TEXT]), ensure_ascii=False))
        yield ", ".join(part for part in parts if part)
        yield from (f"  {_escaped(line)}" for line in self.note.splitlines())
        runs = [(kind, list(run)) for kind, run in groupby(self.marks, key=lambda mark: mark[1])]
        most = _MOST_RUNS if self.method != "WS" else _MOST_RUNS_OF_A_SOCKET
        for kind, run in runs[:most]:
            times = f" x {len(run)}, to {duration(run[-1][0])}" if len(run) > 1 else ""
            yield f"  {duration(run[0][0]):>8} {_escaped(kind)}{times}"
        if len(runs) > most:
            yield f"           and {sum(len(run) for _, run in runs[most:])} more events"

    def add_frame(self, side: str, data: str | bytes, at: float) -> None:
        """Add a message of a WebSocket, ``>`` being the program's side."""
        frame = decoded_object(data)
        if side == ">" and not self.body:
            self.body = frame
        self.marks.append((at, f"{side} {frame.get('type') or 'a message that is no event'}"))

    def _ending(self) -> str:
        kinds = [kind.removeprefix("< ") for _, kind in self.marks]
        last = next((kind for kind in reversed(kinds) if kind in _ENDS), None)
        if last is not None:
            return last.removeprefix("response.")
        if self.seconds is None or (self.is_whole and not kinds):
            return ""
        return "no last event" if self.is_whole else "left or cut"


_ENDS = frozenset({*TERMINAL_TYPES, "error"})


class Passages:
    """The requests that a server has seen, in the order they came; filled by its thread."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._all: list[Passage] = []

    def begin(self, method: str, path: str) -> Passage:
        """Add one that begins now."""
        passage = Passage(method, path, time.monotonic() - self._began)
        self._all.append(passage)
        return passage

    def add(self, request: RecordedRequest, exchange: Exchange) -> None:
        """Add one that a cassette answers, with the times that were recorded."""
        passage = self.begin(request.method, request.path)
        passage.body = decoded_object(request.body)
        passage.status, passage.is_whole = exchange.status, exchange.is_whole
        reader = _Reader(passage, dict(exchange.headers).get("content-type", ""))
        at = 0.0
        for chunk in exchange.chunks:
            at += chunk.after
            reader.feed(chunk.data, at)
        passage.seconds = at
        reader.end()

    def add_socket(self, request: RecordedRequest, exchange: Exchange) -> None:
        """Add a WebSocket that a cassette plays, as far as it was recorded."""
        passage = self.begin("WS", request.path)
        passage.status, passage.is_whole = exchange.status, exchange.ending != "broken"
        at = 0.0
        for message in exchange.messages:
            at += message.after
            passage.add_frame(">" if message.is_sent else "<", message.data, at)
        passage.seconds = at

    def add_missed(
        self, request: RecordedRequest, status: int, reason: str, asked: str | bytes = b""
    ) -> None:
        """Add a request that a cassette has no answer to; ``asked`` is its body or message."""
        passage = self.begin(request.method, request.path)
        passage.body = decoded_object(asked)
        passage.status, passage.note = status, reason
        passage.seconds, passage.is_whole = 0.0, True

    def text(self) -> str:
        """Tell all of them; empty when there are none."""
        passages = list(self._all)
        lines = [line for each in passages[-_MOST_PASSAGES:] for line in each.lines()]
        if len(passages) > _MOST_PASSAGES:
            lines.insert(0, f"({len(passages) - _MOST_PASSAGES} requests before these)")
        return "\n".join(lines)


class Witness:
    """Stands around an ASGI application, and notes what passes."""

    def __init__(self, app: Application, passages: Passages) -> None:
        self._app = app
        self._passages = passages

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        path = scope["raw_path"].decode("latin-1")
        seen = _Seen(self._passages.begin(scope.get("method", "WS"), path), receive, send)
        try:
            await self._app(scope, seen.receive, seen.send)
        finally:
            seen.end()


class _Seen:
    """One exchange as it passes an application."""

    def __init__(self, passage: Passage, receive: Receive, send: Send) -> None:
        self._passage = passage
        self._receive, self._send = receive, send
        self._asked = bytearray()
        self._began = time.monotonic()
        self._reader: _Reader | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        match message["type"]:
            case "http.request" if len(self._asked) < _MOST_KEPT_BYTES:
                self._asked += message.get("body", b"")
                if not message.get("more_body", False):
                    self._passage.body = decoded_object(bytes(self._asked))
            case "websocket.receive":
                self._mark(">", message)
            case _:
                pass
        return message

    async def send(self, message: Message) -> None:
        passage = self._passage
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                passage.status = message["status"]
                kind = dict(message.get("headers", ())).get(b"content-type", b"")
                self._reader = _Reader(passage, kind.decode("latin-1"))
            case "http.response.body" | "websocket.http.response.body":
                if self._reader is not None:
                    self._reader.feed(message.get("body", b""), time.monotonic() - self._began)
                passage.is_whole = not message.get("more_body", False)
            case "websocket.accept":
                passage.status = 101
            case "websocket.send":
                self._mark("<", message)
            case "websocket.close":
                passage.is_whole = True
            case _:
                pass
        await self._send(message)

    def end(self) -> None:
        self._passage.seconds = time.monotonic() - self._began
        if self._reader is not None:
            self._reader.end()

    def _mark(self, side: str, message: Message) -> None:
        data = message.get("text") or message.get("bytes") or b""
        self._passage.add_frame(side, data, time.monotonic() - self._began)


class _Reader:
    """Notes the events of a stream, or the error of an answer that is none."""

    def __init__(self, passage: Passage, content_type: str) -> None:
        self._passage = passage
        self._decoder = SSEDecoder() if content_type.startswith("text/event-stream") else None
        self._data = bytearray()

    def feed(self, data: bytes, at: float) -> None:
        if self._decoder is None:
            if len(self._data) < _MOST_KEPT_BYTES:
                self._data += data
            return
        try:
            for event in self._decoder.feed(data):
                kind = decoded_object(event.data).get("type") or event.event
                self._passage.marks.append((at, str(kind)))
        except CodexApiError:
            self._decoder = None  # it is a fault that the test asked for

    def end(self) -> None:
        if (self._passage.status or 0) < _FIRST_BAD_STATUS:
            return
        error = object_of(decoded_object(bytes(self._data)).get("error"))
        told = error.get("message") or error.get("code") or error.get("type") or ""
        self._passage.note = str(told)


def last_text(value: object) -> str:
    """Return the last text of an input in one line, however it is written down; empty for none."""
    if isinstance(value, str):
        return " ".join(value.split())[:_LONGEST_TEXT]
    inner: list[object] = []
    if isinstance(value, dict):
        inner = [object_of(cast("object", value)).get(key) for key in ("text", "content", "output")]
    elif isinstance(value, list):
        inner = list(reversed(cast("list[object]", value)))
    return next((text for each in inner if (text := last_text(each))), "")


_LONGEST_TEXT = 200


def duration(seconds: float) -> str:
    """Write a time down: in milliseconds up to a second."""
    if seconds < _MILLISECONDS_UP_TO:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"


def _escaped(text: str) -> str:
    """Leave nothing in a text that a terminal would carry out."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)
