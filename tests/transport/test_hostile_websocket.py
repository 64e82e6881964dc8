"""Servers that break the WebSocket protocol and leave TCP open."""

from __future__ import annotations

import asyncio
import json
import socket as sockets
import subprocess
import sys
import threading
import zlib
from contextlib import contextmanager, suppress
from logging.config import dictConfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after, to_thread
from websockets.utils import accept_key

from codex_api.transport import websocket, websocket_async
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    EventTooLargeError,
    HttpStatusError,
    NetworkError,
    WebSocketClosedError,
)
from codex_api.transport.network import Network
from codex_api.transport.websocket import connect
from codex_api.transport.websocket_async import connect_async

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.front import Front

pytestmark = pytest.mark.anyio

NETWORK = Network(proxy=None)
# Far less than a minute, in which nothing but the end of the wait could have come.
SOON = 30


@pytest.fixture
def short_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for a close frame that will not come."""
    for module in (websocket, websocket_async):
        monkeypatch.setattr(module, "CLOSE_TIMEOUT", 0.1)


@contextmanager
def peer(talk: Callable[[sockets.socket, bytes], None]) -> Iterator[str]:
    """Run ``talk`` with a connection and the handshake that came, and keep TCP open after it."""
    done = threading.Event()
    accepted_socks: list[sockets.socket] = []
    with sockets.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            accepted_socks.append(sock)
            with sock:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += sock.recv(4096)
                try:
                    talk(sock, request)
                except OSError:
                    return  # the client has gone, as it should
                done.wait()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/responses"
        finally:
            done.set()
            for sock in accepted_socks:
                with suppress(OSError):
                    sock.shutdown(sockets.SHUT_RDWR)
            thread.join()


def accepted(request: bytes, extension: bytes = b"") -> bytes:
    key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n" + extension + b"\r\n"
    )


def sending(data: bytes, extension: bytes = b"") -> Callable[[sockets.socket, bytes], None]:
    def talk(sock: sockets.socket, request: bytes) -> None:
        sock.sendall(accepted(request, extension) + data)

    return talk


async def opened(front: Front, url: str, **options: Any) -> Any:
    settings = {"network": NETWORK, "deflate": True, "connect_timeout": 5.0} | options
    return await front(front.pick(connect, connect_async), url, Headers(), **settings)


DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
ENDINGS = {
    "a close frame": (b"\x88\x05\x03\xf0bye", WebSocketClosedError),
    "an empty close frame": (b"\x88\x00", WebSocketClosedError),
    "RSV bits": (b"\xb1\x01x", WebSocketClosedError),
    "a masked frame": (b"\x81\x81\x00\x00\x00\x00x", WebSocketClosedError),
    "an unknown opcode": (b"\x83\x01x", WebSocketClosedError),
    "text that is no UTF-8": (b"\x81\x01\xff", WebSocketClosedError),
    "2^40 bytes to come": (b"\x81\x7f" + (1 << 40).to_bytes(8, "big"), EventTooLargeError),
}


@pytest.mark.parametrize(("data", "kind"), ENDINGS.values(), ids=ENDINGS.keys())
async def test_the_wait_ends_at_once_though_tcp_stays_open(
    front: Front, data: bytes, kind: type[Exception]
) -> None:
    with peer(sending(b"\x81\x05first" + data)) as url:
        socket = await opened(front, url)
        with fail_after(SOON):
            first = await front(socket.recv)
            with pytest.raises(kind) as caught:
                await front(socket.recv)
        is_closed = socket.is_closed
        await front(socket.close)

    assert first == "first"
    assert is_closed
    if data.startswith(b"\x88\x05"):
        assert (caught.value.code, caught.value.reason) == (1008, "bye")  # type: ignore[attr-defined]


def _framed(payload: bytes) -> bytes:
    return b"\xc1\x7f" + len(payload).to_bytes(8, "big") + payload


# One block that inflates to a mebibyte, wherever in the stream it stands.
_MEBIBYTE = 1 << 20


def _block() -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(b"\0" * _MEBIBYTE) + compressor.flush(zlib.Z_FULL_FLUSH)


def _growing(each: int, count: int = 1) -> bytes:
    """Make messages that inflate to ``each`` bytes, without holding them."""
    return _framed((_block() * (each // _MEBIBYTE))[:-4]) * count


_CLOSE = b"\x88\x02\x03\xe8"
_PINGS = (b"\x89\x7d" + b"p" * 125) * 1000
HOSTILE: dict[str, tuple[list[bytes], int, str]] = {
    "a bomb of a gibibyte": ([_growing(1 << 30)], 0, "EventTooLargeError"),
    "64 frames that grow": ([_growing(2 << 20, 64), _CLOSE], 64, "WebSocketClosedError"),
    "512 frames that grow": ([_growing(1 << 20, 512), _CLOSE], 512, "WebSocketClosedError"),
    "2^40 bytes to come": ([ENDINGS["2^40 bytes to come"][0]], 0, "EventTooLargeError"),
    "a flood of pings": ([_PINGS] * 200 + [_CLOSE], 0, "WebSocketClosedError"),
    "endless fragments": ([b"\x01\x00" + b"\0\0" * 500_000, _CLOSE], 0, "WebSocketClosedError"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_memory_is_bounded_whatever_the_peer_sends(front: Front, name: str) -> None:
    """Measured in a process of its own, beside the peer's."""
    pieces, count, ending = HOSTILE[name]
    limit = 4 << 20

    def talk(sock: sockets.socket, request: bytes) -> None:
        sock.sendall(accepted(request, DEFLATE) + b"\x81\x05first")
        for piece in pieces:
            sock.sendall(piece)

    with peer(talk) as url:
        script = Path(__file__).with_name("hostile_memory.py")
        command = [sys.executable, str(script), front.name, url, str(limit)]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, check=True, timeout=50
        )

    told = json.loads(done.stdout)
    assert (told["messages"], told["ending"]) == (count, ending)
    assert told["peak_growth_bytes"] < 8 * limit


@pytest.mark.usefixtures("short_goodbye")
async def test_a_peer_that_nobody_listens_to_cannot_fill_our_memory(front: Front) -> None:
    taken = 0
    stalled = threading.Event()

    def talk(sock: sockets.socket, request: bytes) -> None:
        nonlocal taken
        sock.sendall(accepted(request))
        sock.settimeout(0.5)
        message = b"\x82\x7e\xff\xff" + b"x" * 65_535
        try:
            while taken < 256 << 20:
                sock.sendall(message)
                taken += len(message)
        finally:
            stalled.set()

    with peer(talk) as url:
        socket = await opened(front, url)
        for _ in range(3):
            await front(socket.recv)
        await to_thread.run_sync(stalled.wait)
        is_closed = socket.is_closed
        before = taken
        await front(socket.close)

    assert not is_closed
    assert before < 64 << 20


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 4\r\n\r\nnope",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nnope\r\nzz\r\n",
        b"Content-Length: 4194304\r\n\r\n" + b"nope" * (1 << 20),
        b"\r\n" + b"nope" * (1 << 18),
        b"Content-Length: 100\r\n\r\nnope",
    ],
    ids=["length", "chunked", "damaged", "4 MiB", "until close", "cut"],
)
async def test_a_refusal_keeps_its_status_whatever_its_body_is(front: Front, body: bytes) -> None:
    def talk(sock: sockets.socket, _: bytes) -> None:
        sock.sendall(b"HTTP/1.1 403 No\r\nx-request-id: r1\r\n" + body)

    with peer(talk) as url, fail_after(SOON), pytest.raises(HttpStatusError) as caught:
        await opened(front, url, connect_timeout=1.0)

    assert (caught.value.status, caught.value.request_id) == (403, "r1")
    assert caught.value.body is not None
    assert b"nope".startswith(caught.value.body[:4])
    assert len(caught.value.body) <= 64 << 10


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Go\r\n" + b"x: y\r\n" * 100_000,
        b"HTTP/1.1 101 Go\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Go\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/2 101 Go\r\n\r\n",
    ],
    ids=["endless", "another protocol", "bare", "another server", "version"],
)
async def test_an_answer_that_is_no_handshake_is_a_network_error(
    front: Front, answer: bytes
) -> None:
    def talk(sock: sockets.socket, _: bytes) -> None:
        sock.sendall(answer)

    with peer(talk) as url, fail_after(SOON), pytest.raises(NetworkError):
        await opened(front, url, connect_timeout=2.0)


async def test_a_wrong_proof_of_the_handshake_is_refused(front: Front) -> None:
    def talk(sock: sockets.socket, _: bytes) -> None:
        sock.sendall(accepted(b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"))

    with peer(talk) as url, pytest.raises(NetworkError, match="handshake failed"):
        await opened(front, url)


async def test_an_endless_drip_of_informational_answers_obeys_the_limit(front: Front) -> None:
    def talk(sock: sockets.socket, _: bytes) -> None:
        while True:
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            threading.Event().wait(0.02)

    with peer(talk) as url, fail_after(SOON), pytest.raises((ConnectTimeoutError, NetworkError)):
        await opened(front, url, connect_timeout=0.2)


@pytest.mark.usefixtures("short_goodbye")
async def test_a_peer_that_never_answers_our_close_does_not_hold_us(front: Front) -> None:
    with peer(sending(b"")) as url:
        socket = await opened(front, url)
        with fail_after(SOON):
            await front(socket.close)
            await front(socket.close)

        assert socket.is_closed
        with pytest.raises((WebSocketClosedError, ClientStateError)):
            await front(socket.recv)


@pytest.mark.usefixtures("short_goodbye")
async def test_header_fields_that_are_not_ascii_are_read(front: Front) -> None:
    def talk(sock: sockets.socket, request: bytes) -> None:
        answer = accepted(request, b"x-note: k\xc3\xa4se\r\nx-models-etag: e1\r\n")
        sock.sendall(answer + b"\x81\x02hi")

    with peer(talk) as url:
        socket = await opened(front, url)
        assert await front(socket.recv) == "hi"
        assert socket.headers["x-models-etag"] == "e1"
        await front(socket.close)


@pytest.mark.usefixtures("short_goodbye")
async def test_four_mebibytes_in_small_fragments_arrive(front: Front) -> None:
    piece = b"x" * 1024
    head, more = b"\x01\x7e\x04\x00", b"\x00\x7e\x04\x00"
    data = head + piece + (more + piece) * 4094 + b"\x80\x7e\x04\x00" + piece
    with peer(sending(data)) as url:
        socket = await opened(front, url)
        assert len(await front(socket.recv)) == 4 << 20
        await front(socket.close)


@pytest.mark.usefixtures("short_goodbye")
async def test_no_logger_hears_of_credentials(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    # Such a configuration enables loggers that were disabled.
    dictConfig({"version": 1, "incremental": False, "disable_existing_loggers": False})
    caplog.set_level("DEBUG")
    headers = Headers({"authorization": "Bearer s3cret", "x-custom": "s3cret"})
    with peer(sending(b"\x81\x02hi")) as url:
        socket = await front(
            front.pick(connect, connect_async),
            url + "?key=s3cret",
            headers,
            network=NETWORK,
            deflate=True,
            connect_timeout=5.0,
        )
        await front(socket.send, "s3cret")
        await front(socket.recv)
        await front(socket.close)

    assert "s3cret" not in caplog.text
