"""A server that costs the measured process nothing: a process of its own, canned bytes.

The first segment of the path says what to answer, whatever follows is the API's own path:

====================  ==================================================================
``/sse/N/K/...``      N delta events, K in each chunk, as fast as the socket takes them
``/paced/N/US/...``   N delta events, one a chunk, a pause of US microseconds before each
``/hold/...``         one delta event that carries the instant of its sending, then nothing
``/json/...``         a small compaction answer
``/ws/N/...``         a WebSocket; N delta events for each text message received
====================  ==================================================================
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_bench\r\n"
    b"openai-model: bench\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LAST_CHUNK = b"0\r\n\r\n"
COMPACTED = (
    b'{"output":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},'
    b'{"type":"compaction","encrypted_content":"' + b"A" * 400 + b'"}]}'
)


def delta_json(text: str, number: int) -> bytes:
    """One delta as the API sends it, 270 bytes or so."""
    return (
        b'{"type":"response.output_text.delta","content_index":0,"delta":"%s",'
        b'"item_id":"msg_68c9a1f0b8d08190a7c5d3e2f1a0b9c80123456789abcdef","logprobs":[],'
        b'"obfuscation":"Xq7ZkP0aRt","output_index":0,"sequence_number":%d}'
    ) % (text.encode(), number)


CREATED_JSON = b'{"type":"response.created","response":{"id":"resp_bench","output":[]}}'
COMPLETED_JSON = (
    b'{"type":"response.completed","response":{"id":"resp_bench","usage":{"input_tokens":10,'
    b'"input_tokens_details":{"cached_tokens":4},"output_tokens":20,'
    b'"output_tokens_details":{"reasoning_tokens":6},"total_tokens":30}}}'
)


def sse_event(data: bytes) -> bytes:
    name = data[len(b'{"type":"') : data.index(b'"', len(b'{"type":"'))]
    return b"event: " + name + b"\ndata: " + data + b"\n\n"


def events(count: int) -> list[bytes]:
    """The JSON of a whole response with ``count`` deltas."""
    words = (" the", " quick", " brown", " fox,", " jumps")
    deltas = [delta_json(words[number % 5], number) for number in range(count)]
    return [CREATED_JSON, *deltas, COMPLETED_JSON]


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@lru_cache(maxsize=8)
def _sse_body(count: int, per_chunk: int) -> bytes:
    framed = [sse_event(data) for data in events(count)]
    chunks = [b"".join(framed[at : at + per_chunk]) for at in range(0, len(framed), per_chunk)]
    return b"".join(map(http_chunk, chunks)) + _LAST_CHUNK


@lru_cache(maxsize=8)
def _frames(count: int) -> bytes:
    def frame(data: bytes) -> bytes:
        short = len(data) < 126
        head = bytes((0x81, len(data))) if short else struct.pack("!BBH", 0x81, 126, len(data))
        return head + data

    return b"".join(map(frame, events(count)))


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.buffer = bytearray()
        self.transport: asyncio.Transport
        self.frames: bytes | None = None
        self.pacer: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.pacer is not None:
            self.pacer.cancel()

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
            case ["sse", count, per_chunk, *_]:
                self.transport.write(_SSE_HEAD + _sse_body(int(count), int(per_chunk)))
            case ["paced", count, pause, *_]:
                pacing = self._pace(int(count), int(pause) * 1e-6)
                self.pacer = asyncio.get_running_loop().create_task(pacing)
            case ["hold", *_]:
                stamped = delta_json(str(time.monotonic_ns()), 1)
                self.transport.write(_SSE_HEAD + http_chunk(sse_event(stamped)))
            case ["ws", count, *_]:
                self.frames = _frames(int(count))
                digest = hashlib.sha1(headers[b"sec-websocket-key"] + _GUID).digest()  # noqa: S324
                self.transport.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
                    b"connection: Upgrade\r\nsec-websocket-accept: "
                    + base64.b64encode(digest)
                    + b"\r\n\r\n"
                )
            case _:
                self.transport.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
                    + str(len(COMPACTED)).encode()
                    + b"\r\n\r\n"
                    + COMPACTED
                )

    async def _pace(self, count: int, pause: float) -> None:
        self.transport.write(_SSE_HEAD)
        for data in events(count):
            await asyncio.sleep(pause)
            self.transport.write(http_chunk(sse_event(data)))
        self.transport.write(_LAST_CHUNK)

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
            self.transport.write(self.frames)
        elif opcode == 8:
            self.transport.write(b"\x88\x00")
            self.transport.close()
        return True


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(
        _Connection, "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    stopped = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await stopped  # The parent's end of our standard input closes when it goes, however it goes.
    server.close()


@contextmanager
def running() -> Iterator[str]:
    """Start the server in a process of its own and give its origin, e.g. ``http://127.0.0.1:1234``."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve())
