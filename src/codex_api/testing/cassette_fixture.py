"""A cassette for one test, whatever client the tested program uses.

A server of this process takes the place of the API: it answers from the cassette, or passes
requests on and records them. What was recorded becomes the cassette only when the test has passed,
in one step: neither a failed test nor another worker leaves half of one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from codex_api.testing.actions import Action, Close, answer
from codex_api.testing.cassettes import Cassette
from codex_api.testing.passages import Passages, Witness
from codex_api.testing.replaying import MISMATCH_STATUS, ReplayServer
from codex_api.testing.wire import decoded_object

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from starlette.types import ASGIApp

    from codex_api.testing.cassettes import Exchange
    from codex_api.testing.connection import Connection
    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.replaying import Matching
    from codex_api.testing.scripted import Script

CassetteMode = Literal["none", "once", "new", "all"]

#: What a client that has HTTP as well takes for a reason to use it.
NOT_ADDED_STATUS = 501

_LONGEST_NAME = 100
_HASH_DIGITS = 8
_ONLY_OWNER = 0o600
_PASSED_ON_BYTES = 1 << 16
# They are said anew for the connection behind this one.
_OF_A_CONNECTION = frozenset({"connection", "content-length", "expect", "transfer-encoding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """How requests find their answers, as `ReplayServer` takes it."""

    match: Matching = "request"
    ignore: Sequence[str] = ()
    repeat_last: bool = False
    is_timed: bool = False


class CodexCassette:
    """A server that answers a test from a cassette, records into it, or both.

    A context manager; it may be used once, and its methods block.

    Args:
        path: The cassette.
        mode: ``none`` answers from the cassette and knows nothing else. ``once`` does so if there
            is one, and records if there is none. ``new`` answers what is recorded, and records the
            rest. ``all`` records everything again.
        upstream: Gives the base URL of the server that is recorded; called only for that.
        folder: Where a recording is kept until it becomes the cassette.
        matched: How requests find their answers.

    Raises:
        FileNotFoundError: There is no cassette, and the mode does not record one.
        ValueError: The cassette cannot be read.
    """

    def __init__(
        self,
        path: Path,
        mode: CassetteMode,
        *,
        upstream: Callable[[], str],
        folder: Path,
        matched: Matched | None = None,
    ) -> None:
        self.path: Path = path
        self.mode: CassetteMode = mode
        self.passages: Passages = Passages()
        is_there = path.exists()
        if not is_there and mode == "none":
            message = f"there is no cassette {path}; record it with --codex-cassette=once"
            raise FileNotFoundError(message)
        self.is_recording: bool = mode in {"all", "new"} or not is_there
        self._is_merged = mode == "new" and is_there
        self._upstream = upstream
        self._recording = folder / "recording.jsonl"
        self._stack = ExitStack()
        self._replay: _Replay | None = None
        if is_there and mode != "all":
            self._replay = _Replay(path, self.passages, matched or Matched())
        self._url = ""

    @property
    def url(self) -> str:
        """Base URL for a client, ending in ``/v1``."""
        return self._url

    @property
    def requests(self) -> str:
        """The requests so far and the events of their answers, for people to read."""
        return self.passages.text()

    @property
    def left(self) -> list[Exchange]:
        """The exchanges of the cassette that were not asked for (yet)."""
        return [] if self._replay is None else self._replay.left

    @property
    def errors(self) -> list[Exception]:
        """The requests that had no answer, as `CassetteMismatchError`."""
        return [] if self._replay is None else list(self._replay.errors)

    def keep(self) -> None:
        """Make what was recorded the cassette, with what it held before in mode ``new``.

        Call it once the servers have stopped; without a recording it does nothing.
        """
        if not self.is_recording:
            return
        text = self._recording.read_text(encoding="utf-8")
        if self._is_merged:
            text = joined(self.path.read_text(encoding="utf-8"), text)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        part.touch(mode=_ONLY_OWNER)
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(self.path)

    def __enter__(self) -> Self:
        with self._stack:
            port: int | None = None
            if self.is_recording:
                port, self._url = self._recorder()
            if self._replay is not None:
                self._replay.elsewhere = port
                self._url = self._stack.enter_context(self._replay).url
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _recorder(self) -> tuple[int, str]:
        from codex_api.testing.server import EmbeddedServer  # noqa: PLC0415 - extra
        from codex_api.testing.server.record_proxy import RecordProxy  # noqa: PLC0415 - extra

        proxy = RecordProxy(self._upstream(), Cassette(self._recording))

        def around(app: ASGIApp) -> ASGIApp:
            del app
            return cast("ASGIApp", Witness(proxy, self.passages))

        server = EmbeddedServer(around=around)
        server.state.closers.append(proxy.aclose)
        self._stack.enter_context(server)
        return server.port, server.url


class _Replay(ReplayServer):
    """Answers from a cassette, and passes on what is not in it if there is somewhere to."""

    def __init__(self, path: Path, passages: Passages, matched: Matched) -> None:
        super().__init__(
            path,
            match=matched.match,
            ignore=matched.ignore,
            repeat_last=matched.repeat_last,
            is_timed=matched.is_timed,
        )
        self.elsewhere: int | None = None
        self._passages = passages

    def stop(self) -> None:
        """Drop all connections; what had no answer is told by whoever uses this."""
        errors, self.errors = self.errors, []
        super().stop()
        self.errors = errors

    def _found(self, request: RecordedRequest) -> Exchange | None:
        found = super()._found(request)
        if found is not None:
            self._passages.add(request, found)
        return found

    def socket_for(self, request: RecordedRequest, message: str | bytes | None) -> Exchange | str:
        """Take the recorded WebSocket that begins with ``message``, or tell why there is none."""
        found = super().socket_for(request, message)
        if not isinstance(found, str):
            self._passages.add_socket(request, found)
        return found

    def miss(self, told: str, request: RecordedRequest, asked: str | bytes) -> None:
        """Note that a request, or ``asked`` on its WebSocket, has no answer."""
        super().miss(told, request, asked)
        self._passages.add_missed(request, MISMATCH_STATUS, told, asked)

    def _unanswered(self, request: RecordedRequest) -> Script:
        if self.elsewhere is None:
            return super()._unanswered(request)
        if (request.header("upgrade") or "").lower() != "websocket":
            return [PassOn(request, self.elsewhere)]
        told = "A WebSocket session cannot be added to a cassette; record all of it again."
        self._passages.add_missed(request, NOT_ADDED_STATUS, told)
        return answer(NOT_ADDED_STATUS, {"error": {"message": told, "type": "proxy"}})


@dataclass(frozen=True, slots=True)
class PassOn(Action):
    """Pass a request on to another server of this machine, and its answer back as it comes.

    The connection ends with the answer. When the client leaves, so does this.
    """

    request: RecordedRequest
    port: int

    async def play(self, connection: Connection) -> None:
        """Carry it out."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        passing = asyncio.ensure_future(self._pass(connection, reader, writer))
        leaving = asyncio.ensure_future(connection.ended.wait())
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # It comes first, because a server that stops cancels this once more while it waits.
            writer.close()
            passing.cancel()
            leaving.cancel()
            await asyncio.gather(passing, leaving, return_exceptions=True)
        await Close().play(connection)

    async def _pass(
        self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request = self.request
        lines = [f"{request.method} {request.target} HTTP/1.1"]
        lines += [
            f"{name}: {value}"
            for name, value in request.headers
            if name.lower() not in _OF_A_CONNECTION
        ]
        lines += [f"content-length: {len(request.body)}", "connection: close", "", ""]
        writer.write("\r\n".join(lines).encode("latin-1") + request.body)
        await writer.drain()
        while data := await reader.read(_PASSED_ON_BYTES):
            await connection.write(data)


def joined(before: str, after: str) -> str:
    """Put two cassettes into one: the exchanges of the second get the next numbers."""
    numbers = [decoded_object(line).get("n", 0) for line in before.split("\n") if line]
    offset = 1 + max(numbers, default=-1)
    moved: list[str] = []
    for line in after.split("\n"):
        if not line:
            continue
        facts = decoded_object(line)
        facts["n"] += offset
        moved.append(json.dumps(facts, ensure_ascii=False, separators=(",", ":")))
    kept = before.rstrip("\n")
    return "\n".join([*([kept] if kept else []), *moved, ""])


def file_name(node: str) -> str:
    """Make a name for the cassette of a test, which no other test of its file has.

    Args:
        node: The test's id without that of its file, such as ``TestIt::test_this[one]``.
    """
    plain = node.replace("::", ".").replace("[", "-").rstrip("]")
    name = re.sub(r"[^A-Za-z0-9_.=+,-]", "-", plain)
    if name != plain or len(name) > _LONGEST_NAME:
        told = hashlib.sha256(node.encode()).hexdigest()[:_HASH_DIGITS]
        name = f"{name[:_LONGEST_NAME]}-{told}"
    return f"{name}.jsonl"
