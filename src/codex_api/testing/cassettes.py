r"""Recording what a real server answered, and playing it again chunk for chunk.

A cassette is a file of JSON lines, to be read and edited by people. Lines of exchanges that ran at
the same time may be mixed; ``n`` says which exchange a line belongs to::

    {"n":0,"at":1.2,"request":{"method":"POST","path":"/v1/responses","headers":[...],"body":"..."}}
    {"n":0,"status":200,"headers":[["content-type","text/event-stream"]]}
    {"n":0,"after":0.31,"text":"event: response.created\n..."}
    {"n":0,"after":0.02,"end":"clean"}

A WebSocket is an exchange whose request has ``"upgrade":"websocket"``, with its messages in place
of the body::

    {"n":1,"after":0.01,"status":101,"headers":[...]}
    {"n":1,"after":0.2,"sent":"{\"type\":\"response.create\",...}"}
    {"n":1,"after":0.4,"received":"{\"type\":\"response.created\",...}"}
    {"n":1,"after":9.0,"end":"closed","code":1000,"reason":""}

``at`` is the time in seconds since recording began, ``after`` that since the line before. The file
is only for its owner to read. What
may hold a secret is not recorded: the query of the URL, all headers that are not known to be
harmless, and in bodies and messages what `codex_api.testing.redaction` finds.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from codex_api.testing.recording import UndecodableBodyError, decode_content
from codex_api.testing.recording_transport import AsyncRecordingTransport, RecordingTransport
from codex_api.testing.redaction import Redactor, redacted
from codex_api.transport._core.headers import is_harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from codex_api.testing.replaying import Matching, ReplayServer
    from codex_api.testing.wire import JsonObject
    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import Request

__all__ = [
    "AsyncRecordingTransport",
    "Cassette",
    "Chunk",
    "Exchange",
    "Message",
    "RecordingTransport",
    "load",
    "replay_server",
]

_ONLY_OWNER = 0o600

Ending = Literal["clean", "left", "broken", "closed"]

_CONTENTS = ("text", "base64", "sent", "received", "sent_base64", "received_base64")
# A whole event, named as the last one of a response, at the end of a body.
_LAST_EVENT = re.compile(
    rb'(?:event: ?|"type": ?")response\.(?:completed|failed|incomplete)\b[^\n]*\n'
    rb"(?:[^\n]+\n)*\r?\n(?::[^\n]*\n\n|\s|data: \[DONE\])*\Z"
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a body, and the seconds that passed before it came."""

    data: bytes
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """A message on a WebSocket, and the seconds that passed before it.

    Attributes:
        is_sent: Whether the client sent it.
    """

    data: str | bytes
    is_sent: bool
    after: float = 0.0


@dataclass(slots=True)
class Exchange:
    """One request with its answer.

    Attributes:
        messages: Of a WebSocket, both directions in their order.
        ending: ``clean`` when the body came to its end, ``left`` when the client did not stay so
            long, ``broken`` when the connection did not last so long, ``closed`` when the server
            closed a WebSocket.
        close_code: With which it did so; None for other endings.
        last_after: Seconds between what came last and the ending.
        at: When it began, in seconds since recording did; None where the file does not tell.
        head_after: Seconds between the request and the head of its answer.
    """

    request: JsonObject
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    ending: Ending = "broken"
    messages: list[Message] = field(default_factory=list[Message])
    close_code: int | None = None
    close_reason: str = ""
    last_after: float = 0.0
    at: float | None = None
    head_after: float = 0.0

    @property
    def is_websocket(self) -> bool:
        """Whether the request is the handshake of a WebSocket."""
        return self.request.get("upgrade") == "websocket"

    @property
    def body(self) -> bytes:
        """The body in one piece."""
        return b"".join(each.data for each in self.chunks)

    @property
    def request_body(self) -> bytes:
        """The body of the request, without credentials and compression."""
        if "base64" in self.request:
            return base64.b64decode(self.request["base64"])
        return str(self.request.get("body", "")).encode()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing: most clients leave a stream once its response has ended."""
        return self.ending == "clean" or _LAST_EVENT.search(self.body) is not None


@dataclass(slots=True)
class _Line:
    """A line of the file, and the key of its content as long as that is not clean."""

    fields: JsonObject
    awaited: str = ""


class _Tape:
    """The lines of one exchange that are not written yet."""

    def __init__(self) -> None:
        self.lines: deque[_Line] = deque()
        self.last_at = 0.0
        self._redactors: dict[str, Redactor[_Line]] = {}

    def expect(self, content_type: str) -> None:
        """Choose how the body is read."""
        is_stream = content_type.startswith("text/event-stream")
        self._redactors["text"] = Redactor("events" if is_stream else "plain")

    def add(self, line: _Line, data: bytes) -> None:
        """Add a line whose content has to be cleaned."""
        kind: Literal["plain", "messages"] = "plain" if line.awaited == "text" else "messages"
        self.lines.append(line)
        redactor = self._redactors.setdefault(line.awaited, Redactor(kind))
        _settle(redactor.feed(line, data))

    def close(self) -> None:
        """Clean what is left."""
        for redactor in self._redactors.values():
            _settle(redactor.close())

    def take(self) -> list[JsonObject]:
        """Return the lines that can be written."""
        taken: list[JsonObject] = []
        while self.lines and not self.lines[0].awaited:
            taken.append(self.lines.popleft().fields)
        return taken


def _settle(clean: list[tuple[_Line, bytes]]) -> None:
    for line, data in clean:
        is_binary = line.fields.pop("is_binary", False)
        line.fields |= _content(line.awaited, data, is_binary=is_binary)
        line.awaited = ""


class Cassette:
    """Writes exchanges to a file as they happen; safe to share between threads.

    What may be the beginning of a credential is written with what comes next. `close` writes what
    is left of exchanges that have not ended, and so does the end of the program.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._numbers = itertools.count()
        self._began: float | None = None
        self._guard = threading.RLock()
        self._open: dict[int, _Tape] = {}
        path.touch(mode=_ONLY_OWNER)
        path.chmod(_ONLY_OWNER)  # a file that was there keeps its mode otherwise
        path.write_bytes(b"")
        self._finalizer = weakref.finalize(self, _write_rest, path, self._open)

    def begin(self, request: Request, *, is_websocket: bool = False) -> int:
        """Note a request and give the number of its exchange."""
        number = next(self._numbers)
        data: object = getattr(request.body, "data", b"")
        body = bytes(data) if isinstance(data, (bytes, bytearray)) else b""
        # What is compressed could not be searched for credentials, nor compared.
        with suppress(UndecodableBodyError):
            body = decode_content(body, request.headers.get("content-encoding"))
        noted: JsonObject = {
            "method": request.method,
            "path": urlsplit(request.url).path,
            "headers": _harmless(request.headers),
        }
        noted |= {"upgrade": "websocket"} if is_websocket else _content("body", redacted(body))
        with self._guard:
            tape = self._open[number] = _Tape()
            tape.last_at = now = self._clock()
            self._began = now if self._began is None else self._began
            at = round(now - self._began, 4)
            tape.lines.append(_Line({"n": number, "at": at, "request": noted}))
            self._write(tape)
        return number

    def head(self, number: int, status: int, headers: Headers) -> None:
        """Note status and headers of the answer."""
        with self._guard:
            tape = self._open[number]
            tape.expect(headers.get("content-type") or "")
            answer = {"status": status, "headers": _harmless(headers)}
            tape.lines.append(_Line({**self._after(number, tape), **answer}))
            self._write(tape)

    def chunk(self, number: int, data: bytes) -> None:
        """Note a piece of the body."""
        self._add(number, "text", data)

    def message(self, number: int, message: str | bytes, *, is_sent: bool) -> None:
        """Note a message on a WebSocket, which the client sent or received."""
        self._add(number, "sent" if is_sent else "received", message)

    def end(
        self, number: int, ending: Ending, *, code: int | None = None, reason: str = ""
    ) -> None:
        """Note the end; only the first call for an exchange counts."""
        with self._guard:
            tape = self._open.pop(number, None)
            if tape is None:
                return
            fields: JsonObject = {**self._after(number, tape), "end": ending}
            if ending == "closed":
                fields |= {"code": code, "reason": redacted(reason.encode()).decode()}
            tape.close()
            tape.lines.append(_Line(fields))
            self._write(tape)

    def close(self) -> None:
        """Write what is left of exchanges that have not ended. May be called twice."""
        with self._guard:
            _write_rest(self._path, self._open)

    def _add(self, number: int, key: str, data: str | bytes) -> None:
        with self._guard:
            tape = self._open.get(number)
            if tape is None:
                return
            line = _Line(self._after(number, tape), key)
            if key != "text":
                line.fields["is_binary"] = isinstance(data, bytes)
            tape.add(line, data.encode() if isinstance(data, str) else data)
            self._write(tape)

    def _after(self, number: int, tape: _Tape) -> JsonObject:
        now = self._clock()
        passed, tape.last_at = now - tape.last_at, now
        return {"n": number, "after": round(passed, 4)}

    def _write(self, tape: _Tape) -> None:
        _append(self._path, tape.take())


def _write_rest(path: Path, tapes: dict[int, _Tape]) -> None:
    for tape in tapes.values():
        tape.close()
        _append(path, tape.take())


def _append(path: Path, lines: list[JsonObject]) -> None:
    if lines:
        texts = [json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in lines]
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write("".join(f"{text}\n" for text in texts))


def load(path: Path) -> list[Exchange]:
    """Read a cassette.

    A last line that is not whole is left out: the recorder was killed, or the disk was full, while
    it was written. Its exchange has no end then, and so its ``ending`` is ``broken``.

    Raises:
        ValueError: A line is not what a cassette holds.
        OSError: The file cannot be read.
    """
    exchanges: dict[int, Exchange] = {}
    # Not splitlines: a text may hold other separators of lines as they are.
    lines = path.read_bytes().split(b"\n")
    for number, text in enumerate(lines, start=1):
        if not text:
            continue
        try:
            apply_line(exchanges, json.loads(text.decode()))
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as exc:
            is_cut = isinstance(exc, json.JSONDecodeError | UnicodeDecodeError)
            if is_cut and number == len(lines) and exchanges:
                break
            message = f"line {number} of {path.name} is no line of a cassette: {_what(exc)}"
            raise ValueError(message) from exc
    return list(exchanges.values())


def _what(exc: Exception) -> str:
    if isinstance(exc, UnicodeDecodeError):
        return "it is no text"
    if isinstance(exc, json.JSONDecodeError):
        return f"it is no JSON: {exc.msg} at character {exc.pos + 1}"
    return f"there is no {exc}" if isinstance(exc, KeyError) else "it has another form"


def replay_server(
    path: Path,
    *,
    is_timed: bool = False,
    repeat_last: bool = False,
    match: Matching = "request",
    ignore: Sequence[str] = (),
) -> ReplayServer:
    """Make a server that answers from a cassette; see `ReplayServer`, which it is."""
    from codex_api.testing.replaying import ReplayServer  # noqa: PLC0415 - it imports this

    return ReplayServer(
        path, is_timed=is_timed, repeat_last=repeat_last, match=match, ignore=ignore
    )


def apply_line(exchanges: dict[int, Exchange], line: Any) -> None:  # noqa: ANN401 - from a file
    """Take a line of a cassette in."""
    if "request" in line:
        exchanges[line["n"]] = Exchange(line["request"], at=line.get("at"))
        return
    exchange = exchanges[line["n"]]
    if "status" in line:
        exchange.status = line["status"]
        exchange.head_after = line.get("after", 0.0)
        exchange.headers = [(name, value) for name, value in line["headers"]]
    elif "end" in line:
        exchange.ending = line["end"]
        exchange.close_code, exchange.close_reason = line.get("code"), line.get("reason", "")
        exchange.last_after = line.get("after", 0.0)
    else:
        key = next((each for each in _CONTENTS if each in line), _CONTENTS[0])
        is_text = not key.endswith("base64")
        data = line[key].encode() if is_text else base64.b64decode(line[key])
        after = line.get("after", 0.0)
        if key in {"text", "base64"}:
            exchange.chunks.append(Chunk(data, after))
        else:
            message = line[key] if is_text else data
            exchange.messages.append(Message(message, key.startswith("sent"), after))


def _content(key: str, data: bytes, *, is_binary: bool = False) -> dict[str, str]:
    """Return text as text, and anything else as base64."""
    with suppress(UnicodeDecodeError):
        if not is_binary:
            return {key: data.decode()}
    name = f"{key}_base64" if key in {"sent", "received"} else "base64"
    return {name: base64.b64encode(data).decode()}


def _harmless(headers: Headers) -> list[list[str]]:
    return [[name, value] for name, value in headers.items() if is_harmless(name)]
