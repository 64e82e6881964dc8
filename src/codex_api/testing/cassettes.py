r"""Recording what a real server answered, and playing it again chunk for chunk.

A cassette is a file of JSON lines, to be read and edited by people. Lines of exchanges that ran at
the same time may be mixed; ``n`` says which exchange a line belongs to::

    {"n":0,"request":{"method":"POST","path":"/v1/responses","headers":[...],"body":"{...}"}}
    {"n":0,"status":200,"headers":[["content-type","text/event-stream"]]}
    {"n":0,"after":0.31,"text":"event: response.created\n..."}
    {"n":0,"after":0.02,"end":"clean"}

``after`` is the time in seconds since the line before. The file is only for its owner to read. What
may hold a secret is not recorded: the query of the URL and of URLs in bodies, all headers that are
not known to be harmless, and the values of JSON members that are named like a credential.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from codex_api.testing.recording import UndecodableBodyError, decode_content
from codex_api.transport._core.headers import is_harmless
from codex_api.transport.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from codex_api.testing.replaying import Matching, ReplayServer
    from codex_api.testing.wire import JsonObject
    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import Request, Response
    from codex_api.transport.protocols import (
        AsyncStreamResponse,
        AsyncTransport,
        StreamResponse,
        Transport,
    )

_ONLY_OWNER = 0o600

Ending = Literal["clean", "left", "broken"]

# A JSON member named like a credential, with a text as its value. Numbers are not touched, so that
# counts of tokens stay, and neither are names that go on, such as ``prompt_cache_key_hash``.
_SECRET_MEMBER = re.compile(
    rb'("(?:[a-z0-9_-]*[_-])?(?:api[_-]?key|authorization|bearer|cookie|credentials?'
    rb"|(?:access|auth|id|refresh|session|security)[_-]?token|password|private[_-]?key"
    rb'|(?:client[_-]?)?secret|signature)"\s*:\s*")(?:[^"\\]|\\.)*"',
    re.IGNORECASE,
)
_REDACTED_MEMBER = rb'\1[redacted]"'
# Keys of the API and signed tokens, wherever they stand.
_KEY = re.compile(
    rb"\b(?:sk|ek|rk|sess)[-_][A-Za-z0-9_-]{16,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}", re.ASCII
)
# The query of a URL that a body holds: such URLs are signed.
_QUERY = re.compile(rb"""(https?://[^\s"'<>?\\]+\?)[^\s"'<>\\]+""", re.IGNORECASE)
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


@dataclass(slots=True)
class Exchange:
    """One request with its answer.

    Attributes:
        ending: ``clean`` when the body came to its end, ``left`` when the client did not stay so
            long, ``broken`` when the connection did not last so long.
    """

    request: JsonObject
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    ending: Ending = "broken"

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


class Cassette:
    """Writes exchanges to a file as they happen; safe to share between threads."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._numbers = itertools.count()
        self._guard = threading.Lock()
        self._last_at: dict[int, float] = {}
        path.touch(mode=_ONLY_OWNER)
        path.chmod(_ONLY_OWNER)  # a file that was there keeps its mode otherwise
        path.write_bytes(b"")

    def begin(self, request: Request) -> int:
        """Note a request and give the number of its exchange."""
        number = next(self._numbers)
        data: object = getattr(request.body, "data", b"")
        body = bytes(data) if isinstance(data, (bytes, bytearray)) else b""
        # What is compressed could not be searched for credentials, nor compared.
        with suppress(UndecodableBodyError):
            body = decode_content(body, request.headers.get("content-encoding"))
        noted = {
            "method": request.method,
            "path": urlsplit(request.url).path,
            "headers": _harmless(request.headers),
            **_content("body", body),
        }
        self._last_at[number] = self._clock()
        self._write({"n": number, "request": noted})
        return number

    def head(self, number: int, status: int, headers: Headers) -> None:
        """Note status and headers of the answer."""
        line = {"n": number, **self._after(number)}
        self._write({**line, "status": status, "headers": _harmless(headers)})

    def chunk(self, number: int, data: bytes) -> None:
        """Note a piece of the body."""
        self._write({"n": number, **self._after(number), **_content("text", data)})

    def end(self, number: int, ending: Ending) -> None:
        """Note the end of the body; only the first call for an exchange counts."""
        if number in self._last_at:
            self._write({"n": number, **self._after(number), "end": ending})
            del self._last_at[number]

    def _after(self, number: int) -> dict[str, float]:
        now = self._clock()
        passed = now - self._last_at.get(number, now)
        self._last_at[number] = now
        return {"after": round(passed, 4)}

    def _write(self, line: JsonObject) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        with self._guard, self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(text + "\n")


def load(path: Path) -> list[Exchange]:
    """Read a cassette.

    Raises:
        ValueError: A line is not what a cassette holds.
    """
    exchanges: dict[int, Exchange] = {}
    # Not splitlines: a text may hold other separators of lines as they are.
    for number, text in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not text:
            continue
        try:
            _apply_line(exchanges, json.loads(text))
        except (KeyError, TypeError, ValueError) as exc:
            message = f"line {number} of {path.name} is no line of a cassette: {exc!r}"
            raise ValueError(message) from exc
    return list(exchanges.values())


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


class RecordingTransport:
    """Passes everything to another transport, and records it."""

    def __init__(self, inner: Transport, cassette: Cassette) -> None:
        self._inner = inner
        self._cassette = cassette

    def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request, and record the whole answer."""
        number = self._cassette.begin(request)
        response = self._inner.execute(request, timeout)
        _note_whole(self._cassette, number, response)
        return response

    def stream(self, request: Request, timeout: float | None = None) -> StreamResponse:
        """Send a request, and record what is read of the answer."""
        number = self._cassette.begin(request)
        response = self._inner.stream(request, timeout)
        self._cassette.head(number, response.status, response.headers)
        return _RecordedStream(response, self._cassette, number)

    def close(self) -> None:
        """Close the other transport."""
        self._inner.close()


class AsyncRecordingTransport:
    """`RecordingTransport` for asyncio."""

    def __init__(self, inner: AsyncTransport, cassette: Cassette) -> None:
        self._inner = inner
        self._cassette = cassette

    async def execute(self, request: Request, timeout: float | None = None) -> Response:
        """Send a request, and record the whole answer."""
        number = self._cassette.begin(request)
        response = await self._inner.execute(request, timeout)
        _note_whole(self._cassette, number, response)
        return response

    async def stream(self, request: Request, timeout: float | None = None) -> AsyncStreamResponse:
        """Send a request, and record what is read of the answer."""
        number = self._cassette.begin(request)
        response = await self._inner.stream(request, timeout)
        self._cassette.head(number, response.status, response.headers)
        return _AsyncRecordedStream(response, self._cassette, number)

    async def aclose(self) -> None:
        """Close the other transport."""
        await self._inner.aclose()


class _RecordedStream:
    def __init__(self, inner: StreamResponse, cassette: Cassette, number: int) -> None:
        self._inner = inner
        self._cassette = cassette
        self._number = number

    @property
    def status(self) -> int:
        return self._inner.status

    @property
    def headers(self) -> Headers:
        return self._inner.headers

    def read_chunk(self, timeout: float | None = None) -> bytes | None:
        try:
            data = self._inner.read_chunk(timeout)
        except NetworkError:
            self._cassette.end(self._number, "broken")
            raise
        _note_chunk(self._cassette, self._number, data)
        return data

    def close(self) -> None:
        self._cassette.end(self._number, "left")
        self._inner.close()


class _AsyncRecordedStream:
    def __init__(self, inner: AsyncStreamResponse, cassette: Cassette, number: int) -> None:
        self._inner = inner
        self._cassette = cassette
        self._number = number

    @property
    def status(self) -> int:
        return self._inner.status

    @property
    def headers(self) -> Headers:
        return self._inner.headers

    async def read_chunk(self) -> bytes | None:
        try:
            data = await self._inner.read_chunk()
        except NetworkError:
            self._cassette.end(self._number, "broken")
            raise
        _note_chunk(self._cassette, self._number, data)
        return data

    async def aclose(self) -> None:
        self._cassette.end(self._number, "left")
        await self._inner.aclose()


def _note_whole(cassette: Cassette, number: int, response: Response) -> None:
    cassette.head(number, response.status, response.headers)
    if response.body:
        cassette.chunk(number, response.body)
    cassette.end(number, "clean")


def _note_chunk(cassette: Cassette, number: int, data: bytes | None) -> None:
    if data is None:
        cassette.end(number, "clean")
    else:
        cassette.chunk(number, bytes(data))


def _apply_line(exchanges: dict[int, Exchange], line: Any) -> None:  # noqa: ANN401 - from a file
    if "request" in line:
        exchanges[line["n"]] = Exchange(line["request"])
        return
    exchange = exchanges[line["n"]]
    if "status" in line:
        exchange.status = line["status"]
        exchange.headers = [(name, value) for name, value in line["headers"]]
    elif "end" in line:
        exchange.ending = line["end"]
    elif "base64" in line:
        exchange.chunks.append(Chunk(base64.b64decode(line["base64"]), line.get("after", 0.0)))
    else:
        exchange.chunks.append(Chunk(line["text"].encode(), line.get("after", 0.0)))


def redacted(data: bytes) -> bytes:
    """Return ``data`` with what looks like a credential hidden."""
    data = _KEY.sub(b"[redacted]", _SECRET_MEMBER.sub(_REDACTED_MEMBER, data))
    return _QUERY.sub(rb"\1[redacted]", data)


def _content(key: str, data: bytes) -> dict[str, str]:
    """Return text as text without credentials, and anything else as base64."""
    data = redacted(data)
    try:
        return {key: data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _harmless(headers: Headers) -> list[list[str]]:
    return [[name, value] for name, value in headers.items() if is_harmless(name)]
