"""Servers that answer, or go, before the client has come to its request."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from codex_api.testing.actions import AcceptWebSocket, Hang
from codex_api.testing.scripted import ScriptedServer
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Request
from codex_api.transport.connector_async import open_async_channel
from codex_api.transport.errors import NetworkError, WebSocketClosedError
from codex_api.transport.http import HttpTransport
from codex_api.transport.http_async import AsyncHttpTransport
from codex_api.transport.network import Network
from codex_api.transport.websocket_async import AsyncWebSocket, connect_async
from tests.transport.tls_peers import server_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from codex_api.transport.channel_async import AsyncChannel
    from tests.front import Front

pytestmark = pytest.mark.anyio

PATIENCE = 10.0
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy"


@asynccontextmanager
async def server(serve: Callable[[socket.socket], None]) -> AsyncIterator[int]:
    """Serve one connection, and read what comes until the client has gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        await asyncio.to_thread(thread.join)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_bundle(ca: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def late_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all that the server sends come before the task goes on that has connected.

    So it is in loops that read several times in one turn, as uvloop does.
    """

    async def opened(*args: Any) -> AsyncChannel:
        channel = await open_async_channel(*args)
        while not channel.is_closed:  # noqa: ASYNC110 - the state itself is waited for
            await asyncio.sleep(0.001)
        return channel

    monkeypatch.setattr("codex_api.transport.pool_async.open_async_channel", opened)


async def ask(front: Front, url: str, call: str, **settings: Any) -> tuple[int, bytes]:
    network = Network(proxy=None, **settings)
    request = Request(method="GET", url=url, headers=Headers())
    transport: Any = front.pick(HttpTransport, AsyncHttpTransport)(network)
    try:
        answer = await front(getattr(transport, call), request, PATIENCE)
        if call == "execute":
            return answer.status, answer.body
        return answer.status, await front(answer.read_chunk)
    finally:
        await front(transport.aclose if front.is_async else transport.close)


@pytest.mark.usefixtures("late_task")
@pytest.mark.parametrize("call", ["execute", "stream"])
async def test_answer_that_comes_before_the_request_is_read(front: Front, call: str) -> None:
    async with server(lambda connection: connection.sendall(BUSY)) as port:
        assert await ask(front, f"http://127.0.0.1:{port}/", call) == (503, b"busy")


@pytest.mark.usefixtures("late_task")
@pytest.mark.parametrize("call", ["execute", "stream"])
async def test_server_that_is_gone_before_the_request_holds_nobody_up(
    front: Front, call: str
) -> None:
    async with server(lambda _connection: None) as port:
        with pytest.raises(NetworkError, match="closed the connection without an answer"):
            await ask(front, f"http://127.0.0.1:{port}/", call)


@pytest.mark.usefixtures("late_task")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_answer_that_comes_with_the_handshake_is_read(
    front: Front, ca: trustme.CA, ca_bundle: Path, version: ssl.TLSVersion
) -> None:
    context = server_context(ca)
    context.maximum_version = version

    def serve(connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65_536))
        tls.write(BUSY)
        with suppress(ssl.SSLError):
            tls.unwrap()  # says goodbye, and does not wait for the client's
        connection.sendall(outgoing.read())  # with the end of the handshake, all in one piece

    async with server(serve) as port:
        url = f"https://localhost:{port}/"
        assert await ask(front, url, "execute", ca_bundle=ca_bundle) == (503, b"busy")


async def test_end_that_comes_with_the_handshake_of_a_websocket_is_told() -> None:
    def ended(channel: Any, *agreed: Any) -> AsyncWebSocket:
        channel.eof_received()
        return AsyncWebSocket(channel, *agreed)

    with ScriptedServer(connections=[[AcceptWebSocket(), Hang()]]) as peer:
        opened = await connect_async(
            peer.url.replace("http", "ws", 1),
            Headers(),
            network=Network(proxy=None),
            deflate=False,
            connect_timeout=PATIENCE,
            kind=ended,
        )
        with pytest.raises(WebSocketClosedError, match="without a close frame"):
            await opened.recv()
