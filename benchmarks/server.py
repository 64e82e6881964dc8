"""A server that costs the measured process nothing: a process of its own, canned bytes.

The first segment of the path says what to answer, whatever follows is the API's own path:

=======================  ===============================================================
``/sse/N/SHAPE/...``     N delta events as fast as the socket takes them; shapes are those of
                         ``canned.sse_body``
``/paced/N/US/...``      N delta events, one a chunk, a pause of US microseconds before each
``/burst/N/K/US/...``    N delta events, one a chunk, in bursts of K with a pause after each
``/many/...``            one event, then what ``/start`` sends
``/start/N/K/TICK``      sends K events to each of the N streams of ``/many`` in turn, one write
                         each; TICK events a millisecond, 0 for no limit
``/hold/...``            one delta event that carries the instant of its sending, then nothing
``/json/...``            a small compaction answer
``/response/...``        a whole response
``/ws/N/...``            a WebSocket; N delta events for each text message received
``/wsd/N/...``           the same with permessage-deflate; one message a connection
=======================  ===============================================================
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import resource
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import trustme

from benchmarks import canned

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from typing import Any

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SLICE_BYTES = 1 << 18


@dataclass(frozen=True)
class Origin:
    """Where the server listens.

    Attributes:
        ca: PEM file of the root that it is to be trusted by; None when it speaks no TLS.
    """

    port: int
    ca: Path | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self.ca else ''}://127.0.0.1:{self.port}"

    @cached_property
    def context(self) -> ssl.SSLContext | None:
        """What every client but ours trusts; None for no TLS."""
        return ssl.create_default_context(cafile=self.ca) if self.ca else None


@dataclass(frozen=True)
class Origins:
    """The one server's two ports."""

    plain: Origin
    tls: Origin


class _Connection(asyncio.Protocol):
    waiting: list[_Connection]  # Streams of ``/many`` that are open; one list for all.

    def __init__(self, waiting: list[_Connection]) -> None:
        self.waiting = waiting
        self.buffer = bytearray()
        self.transport: asyncio.Transport
        self.frames: bytes | None = None
        self.responses = 0
        self.task: asyncio.Task[None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.writable.set()
        if self.task is not None:
            self.task.cancel()
        if self in self.waiting:
            self.waiting.remove(self)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self._take_frame() if self.frames is not None else self._take_request():
            pass

    def _take_request(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.buffer[:end])
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        total = end + 4 + int(headers.get(b"content-length", 0))
        if len(self.buffer) < total:
            return False
        del self.buffer[:total]
        segments = head.split(b" ", 2)[1].decode().partition("?")[0].strip("/").split("/")
        self._answer(segments, headers)
        return True

    def _answer(self, segments: list[str], headers: dict[bytes, bytes]) -> None:
        match segments:
            case ["sse", count, shape, *_]:
                self._run(self._pump(canned.SSE_HEAD + canned.sse_body(int(count), shape)))
            case ["paced", count, pause, *_]:
                self._run(self._bursts(int(count), 1, int(pause) * 1e-6))
            case ["burst", count, size, pause, *_]:
                self._run(self._bursts(int(count), int(size), int(pause) * 1e-6))
            case ["many", *_]:
                self.waiting.append(self)
                self.transport.write(canned.SSE_HEAD + canned.CREATED_CHUNK)
            case ["start", streams, count, per_tick, *_]:
                self.transport.write(canned.COMPACTED_ANSWER)
                self._run(self._rounds(int(streams), int(count), int(per_tick)))
            case ["hold", *_]:
                stamped = canned.delta_chunk(str(time.monotonic_ns()), 1)
                self.transport.write(canned.SSE_HEAD + stamped)
            case ["ws" | "wsd" as kind, count, *_]:
                self._upgrade(int(count), headers[b"sec-websocket-key"], deflate=kind == "wsd")
            case ["response", *_]:
                self.transport.write(canned.RESPONSE_ANSWER)
            case _:
                self.transport.write(canned.COMPACTED_ANSWER)

    def _upgrade(self, count: int, key: bytes, *, deflate: bool) -> None:
        self.frames = canned.websocket_frames(count, deflate=deflate)
        digest = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324
        extension = b"sec-websocket-extensions: permessage-deflate\r\n" if deflate else b""
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"%bsec-websocket-accept: %b\r\n\r\n" % (extension, digest)
        )

    def _run(self, answer: Coroutine[Any, Any, None]) -> None:
        self.task = asyncio.get_running_loop().create_task(answer)

    async def _pump(self, body: bytes) -> None:
        """Write no faster than the socket takes it: asyncio copies what it has to keep."""
        if len(body) <= _SLICE_BYTES:
            self.transport.write(body)
            return
        view = memoryview(body)
        for at in range(0, len(view), _SLICE_BYTES):
            await self.writable.wait()
            self.transport.write(view[at : at + _SLICE_BYTES])

    async def _bursts(self, count: int, size: int, pause: float) -> None:
        self.transport.write(canned.SSE_HEAD)
        chunks = [canned.http_chunk(canned.sse_event(data)) for data in canned.events(count)]
        for at in range(0, len(chunks), size):
            await asyncio.sleep(pause)
            self.transport.write(b"".join(chunks[at : at + size]))
        self.transport.write(canned.LAST_CHUNK)

    async def _rounds(self, streams: int, count: int, per_tick: int) -> None:
        assert len(self.waiting) == streams, "start was asked for before the streams were open"
        opened, self.waiting[:] = self.waiting[:], []
        if per_tick:
            await self._ticks(opened, count, per_tick)
        else:
            for number in range(count):
                # Made once a round: the server must be faster than the client that is measured.
                chunk = canned.delta_chunk(str(time.monotonic_ns()), number)
                for stream in opened:
                    if not stream.writable.is_set():
                        await stream.writable.wait()
                    stream.transport.write(chunk)
                await asyncio.sleep(0)
        for stream in opened:
            stream.transport.write(canned.END)

    async def _ticks(self, opened: list[_Connection], count: int, per_tick: int) -> None:
        due, sent = time.monotonic(), 0
        for number in range(count):
            for stream in opened:
                chunk = canned.delta_chunk(str(time.monotonic_ns()), number)
                stream.transport.write(chunk)
                sent += 1
                if not sent % per_tick:
                    due += 0.001
                    await asyncio.sleep(due - time.monotonic())

    def _renamed(self, frames: bytes) -> bytes:
        """Give each response of a connection an id of its own, as servers do."""
        self.responses += 1
        if self.responses == 1:
            return frames  # what is deflated has only this one
        return frames.replace(canned.RESPONSE_ID, b"resp_%05d" % self.responses)

    def _take_frame(self) -> bool:
        if len(self.buffer) < 2:
            return False
        opcode, length, start = self.buffer[0] & 0x0F, self.buffer[1] & 0x7F, 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(self.buffer[2:start], "big")
        if len(self.buffer) < start + 4 + length:
            return False
        del self.buffer[: start + 4 + length]
        if opcode == 1:
            assert self.frames is not None
            self._run(self._pump(self._renamed(self.frames)))
        elif opcode == 8:
            self.transport.write(b"\x88\x00")
            self.transport.close()
        return True


def allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one: two thousand streams need as many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(chain: str) -> None:
    allow_many_files()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    loop, waiting = asyncio.get_running_loop(), list[_Connection]()
    servers = [
        await loop.create_server(
            lambda: _Connection(waiting), "127.0.0.1", 0, backlog=4096, ssl=secured
        )
        for secured in (None, context)
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    stopped = loop.run_in_executor(None, sys.stdin.read)
    await stopped  # The parent's end of our standard input closes when it goes, however it goes.
    for server in servers:
        server.close()


@contextmanager
def running() -> Iterator[Origins]:
    """Start the server in a process of its own."""
    authority = trustme.CA()
    with TemporaryDirectory() as folder:
        ca, chain = Path(folder, "ca.pem"), Path(folder, "chain.pem")
        authority.cert_pem.write_to_path(ca)
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(chain)
        command = [sys.executable, "-m", "benchmarks.server", str(chain)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                plain, tls = map(int, process.stdout.readline().split())
                yield Origins(Origin(plain), Origin(tls, ca))
            finally:
                process.kill()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
