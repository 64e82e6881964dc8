from __future__ import annotations

import asyncio
import os
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from anyio import fail_after, to_thread

from codex_api.testing.actions import (
    AcceptWebSocket,
    Action,
    Close,
    Hang,
    ReadMessage,
    ReadRequest,
    Reset,
    Send,
    SendClose,
    SendMessage,
    SendPing,
    StopReading,
    WaitFor,
)
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.websocket_peer import Deflate
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    EventTooLargeError,
    HttpStatusError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.transport.network import Network
from codex_api.transport.websocket import connect
from codex_api.transport.websocket_async import connect_async
from tests.transport.tls_peers import connect_proxy, server_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.front import Front

pytestmark = pytest.mark.anyio

NETWORK = Network(proxy=None)
HEADERS = Headers(
    {"Authorization": "Bearer s3cret", "user-agent": "me", "openai-beta": "responses_websockets"}
)


def server(*script: Action) -> ScriptedServer:
    return ScriptedServer(connections=[script])


def ws_url(peer: ScriptedServer) -> str:
    return peer.url.replace("http", "ws", 1) + "/responses"


async def opened(front: Front, url: str, headers: Headers = HEADERS, **options: Any) -> Any:
    settings = {"network": NETWORK, "deflate": True, "connect_timeout": 5.0} | options
    return await front(front.pick(connect, connect_async), url, headers, **settings)


@asynccontextmanager
async def connected(front: Front, *script: Action, **options: Any) -> AsyncIterator[Any]:
    with server(*script) as peer:
        socket = await opened(front, ws_url(peer), **options)
        try:
            yield socket
        finally:
            await abort(front, socket)


async def abort(front: Front, socket: Any) -> None:
    if front.is_async:
        socket.abort()
    else:
        await to_thread.run_sync(socket.abort)


async def read_on(front: Front, socket: Any) -> None:
    while True:
        await front(socket.recv)


async def send_on(front: Front, socket: Any) -> None:
    while True:
        await front(socket.send, os.urandom(4 << 20).hex(), 0.1)


@pytest.mark.parametrize(
    ("deflate", "offer"),
    [
        (True, ["sec-websocket-extensions: permessage-deflate; client_max_window_bits"]),
        (False, []),
    ],
)
async def test_handshake_fields_go_out_in_the_order_of_the_real_client(
    front: Front, *, deflate: bool, offer: list[str]
) -> None:
    with server(AcceptWebSocket(), Hang()) as peer:
        socket = await opened(front, ws_url(peer) + "?a=b", deflate=deflate)
        await abort(front, socket)
        lines = bytes(peer.connections[0].received).decode().split("\r\n")
        key = next(line for line in lines if line.startswith("Sec-WebSocket-Key"))

    assert lines == [
        "GET /v1/responses?a=b HTTP/1.1",
        f"Host: 127.0.0.1:{peer.port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        key,
        "authorization: Bearer s3cret",
        "user-agent: me",
        "openai-beta: responses_websockets",
        *offer,
        "",
        "",
    ]


@pytest.mark.parametrize("deflate", [None, Deflate(), Deflate(client_no_context_takeover=True)])
async def test_messages_go_both_ways(front: Front, deflate: Deflate | None) -> None:
    script = [
        AcceptWebSocket([("X-Models-Etag", "e1")], deflate=deflate),
        ReadMessage(),
        SendMessage("käse"),
        SendMessage(b"\x00\x01"),
        Hang(),
    ]
    with server(*script) as peer:
        socket = await opened(front, ws_url(peer))
        await front(socket.send, b'{"q":"k\xc3\xa4se"}', 1.0)
        answers = [await front(socket.recv), await front(socket.recv)]
        log = peer.connections[0].websocket
        status, etag = socket.status, socket.headers["x-models-etag"]
        await abort(front, socket)

    assert answers == ["käse", b"\x00\x01"]
    assert log.messages == ['{"q":"käse"}']
    assert (status, etag) == (101, "e1")


async def test_a_refused_handshake_keeps_status_headers_and_body(front: Front) -> None:
    refusal = b"HTTP/1.1 426 Upgrade Required\r\nx-request-id: r1\r\ncontent-length: 4\r\n\r\nnope"
    with (
        server(ReadRequest(), Send(refusal), Close()) as peer,
        pytest.raises(HttpStatusError) as caught,
    ):
        await opened(front, ws_url(peer) + "?key=s3cret")
    error = caught.value

    assert (error.status, error.body, error.request_id) == (426, b"nope", "r1")
    assert error.headers is not None
    assert error.headers["x-request-id"] == "r1"
    assert error.url == ws_url(peer)
    assert "s3cret" not in str(error)


async def test_a_redirect_is_not_followed(front: Front) -> None:
    with (
        ScriptedServer(connections=[[AcceptWebSocket()]]) as elsewhere,
        server(
            ReadRequest(),
            Send(f"HTTP/1.1 307 Moved\r\nlocation: {ws_url(elsewhere)}\r\n\r\n".encode()),
            Close(),
        ) as peer,
    ):
        with pytest.raises(HttpStatusError) as caught:
            await opened(front, ws_url(peer))

        assert caught.value.status == 307
        assert elsewhere.connections == []


async def test_a_handshake_without_an_answer_times_out(front: Front) -> None:
    with server(ReadRequest(), Hang()) as peer, fail_after(5), pytest.raises(ConnectTimeoutError):
        await opened(front, ws_url(peer), connect_timeout=0.05)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Go\r\n\r\n", b"garbage\r\n\r\n"])
async def test_a_broken_handshake_is_a_network_error(front: Front, answer: bytes) -> None:
    with server(ReadRequest(), Send(answer), Close()) as peer, pytest.raises(NetworkError):
        await opened(front, ws_url(peer))


async def test_an_unreachable_server_is_a_network_error(front: Front) -> None:
    with server() as peer:
        url = ws_url(peer)
    with pytest.raises(NetworkError) as caught:
        await opened(front, url)

    assert caught.value.retryable


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "nonsense"])
async def test_what_is_no_websocket_url_is_refused_before_anything_is_sent(
    front: Front, url: str
) -> None:
    with pytest.raises(RequestBuildError):
        await opened(front, url)


@pytest.mark.parametrize(
    ("ending", "code", "reason"),
    [
        ([SendClose(1001, "bye")], 1001, "bye"),
        ([SendClose(1008)], 1008, ""),
        ([SendClose(None)], 1005, ""),
        ([Close()], None, ""),
        ([Reset()], None, ""),
    ],
)
async def test_the_end_says_how_it_came(
    front: Front, ending: list[Action], code: int | None, reason: str
) -> None:
    script = [AcceptWebSocket(), SendMessage("first"), *ending]
    async with connected(front, *script) as socket:
        first = await front(socket.recv) if code else None
        with pytest.raises(WebSocketClosedError) as caught:
            await read_on(front, socket)
        closed = socket.is_closed
        with pytest.raises(WebSocketClosedError):
            await front(socket.send, "late")

    assert first in {"first", None}
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert closed


async def test_a_message_over_the_limit_is_an_error_of_its_own(front: Front) -> None:
    script = [AcceptWebSocket(), SendMessage("x" * 101), ReadMessage(), Hang()]
    async with connected(front, *script, max_message_bytes=100) as socket:
        with pytest.raises(EventTooLargeError):
            await front(socket.recv)


async def test_a_message_of_two_mebibytes_arrives(front: Front) -> None:
    async with connected(front, AcceptWebSocket(), SendMessage("x" * (2 << 20)), Hang()) as socket:
        assert len(await front(socket.recv)) == 2 << 20


async def test_pings_are_answered_and_count_as_activity(front: Front) -> None:
    gate = Gate()
    script = [AcceptWebSocket(), WaitFor(gate), SendPing(b"p"), SendMessage("after"), Hang()]
    async with connected(front, *script) as socket:
        before = socket.last_activity
        started = time.monotonic()
        gate.set()
        await front(socket.recv)

        assert before <= started <= socket.last_activity


async def test_no_ping_is_sent_unasked_and_close_is_polite_once(front: Front) -> None:
    with server(AcceptWebSocket(), Hang()) as peer:
        socket = await opened(front, ws_url(peer))
        await front(socket.close, 1000, "done")
        await front(socket.close)
        log = peer.connections[0].websocket

    assert log.pings == []
    assert (log.close_code, log.close_reason) == (1000, "done")


async def test_abort_drops_the_connection_without_a_close_frame(front: Front) -> None:
    with server(AcceptWebSocket(), Hang()) as peer:
        socket = await opened(front, ws_url(peer))
        await abort(front, socket)
        await abort(front, socket)
        record = await to_thread.run_sync(peer.wait_for_disconnect)

    assert record.websocket.close_code is None
    assert record.ending in {"eof", "reset"}
    assert socket.is_closed


async def test_a_peer_that_stops_reading_cannot_hold_a_send_up(front: Front) -> None:
    async with connected(front, AcceptWebSocket(), StopReading(), Hang()) as socket:
        with fail_after(10), pytest.raises(TransportTimeoutError):
            await send_on(front, socket)


async def test_a_child_process_cannot_use_its_parents_connection(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(front, AcceptWebSocket(), Hang()) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            with pytest.raises(ClientStateError, match="parent process"):
                await front(socket.send, "x")
            await front(socket.close)

        assert not socket.is_closed


async def test_a_second_reader_is_told_so(front: Front) -> None:
    async with connected(front, AcceptWebSocket(), Hang()) as socket:
        first = asyncio.ensure_future(front(socket.recv))
        await asyncio.sleep(0.05)
        with pytest.raises(ClientStateError, match="another"):
            await front(socket.recv)
        await abort(front, socket)
        with pytest.raises(WebSocketClosedError):
            await first


def test_a_blocking_read_ends_in_time_and_goes_on_later() -> None:
    gate = Gate()
    with server(AcceptWebSocket(), WaitFor(gate), SendMessage("late"), Hang()) as peer:
        socket = connect(ws_url(peer), HEADERS, network=NETWORK, deflate=False, connect_timeout=5.0)
        with pytest.raises(TransportTimeoutError):
            socket.recv(0.01)
        gate.set()
        late = socket.recv(5.0)
        socket.abort()

    assert late == "late"


def test_another_event_loop_cannot_use_the_connection() -> None:
    with server(AcceptWebSocket(), Hang()) as peer:
        loop = asyncio.new_event_loop()
        socket = loop.run_until_complete(
            connect_async(
                ws_url(peer), HEADERS, network=NETWORK, deflate=False, connect_timeout=5.0
            )
        )
        with pytest.raises(ClientStateError, match="another event loop"):
            asyncio.run(socket.send("x"))
        socket.abort()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
        socket.abort()

        assert socket.is_closed


# --- trust and proxies --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(ca: trustme.CA, tmp_path: Path) -> Iterator[tuple[ScriptedServer, Path]]:
    bundle = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    script = [AcceptWebSocket(), ReadMessage(), SendMessage("over TLS"), Hang()]
    with ScriptedServer(connections=[script], ssl_context=server_context(ca)) as peer:
        yield peer, bundle


async def test_a_configured_root_is_trusted(
    front: Front, secure: tuple[ScriptedServer, Path]
) -> None:
    peer, bundle = secure
    socket = await opened(front, ws_url(peer), network=Network(proxy=None, ca_bundle=bundle))
    await front(socket.send, "x", 5.0)
    answer = await front(socket.recv)
    await abort(front, socket)

    assert answer == "over TLS"


async def test_an_unknown_root_is_no_passing_fault(
    front: Front, secure: tuple[ScriptedServer, Path]
) -> None:
    with pytest.raises(NetworkError, match="not trusted") as caught:
        await opened(front, ws_url(secure[0]))

    assert not caught.value.retryable


async def test_a_proxy_is_asked_for_a_tunnel(
    front: Front, secure: tuple[ScriptedServer, Path]
) -> None:
    peer, bundle = secure
    with connect_proxy() as (port, seen):
        network = Network(proxy=f"http://me:pass@127.0.0.1:{port}", ca_bundle=bundle)
        socket = await opened(front, ws_url(peer), network=network)
        await front(socket.send, "x", 5.0)
        answer = await front(socket.recv)
        await abort(front, socket)

    assert answer == "over TLS"
    assert seen.tunnels == [f"127.0.0.1:{peer.port}"]
    assert seen.proxy_authorization == ["Basic bWU6cGFzcw=="]
    assert not any(name.startswith("proxy-") for name, _ in peer.requests[0].headers)


async def test_a_proxy_that_refuses_is_told_from_the_server(front: Front) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    with server(ReadRequest(), Send(refusal), Close()) as proxy:
        network = Network(proxy=f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(NetworkError, match=r"proxy .* refused.*407"):
            await opened(front, "ws://198.51.100.1/", network=network)


async def test_messages_for_a_connection_that_broke_are_not_lost_in_silence() -> None:
    gate = Gate()
    with server(AcceptWebSocket(), WaitFor(gate), Reset()) as peer:
        socket = await connect_async(
            ws_url(peer), HEADERS, network=NETWORK, deflate=False, connect_timeout=5.0
        )
        gate.set()
        peer.wait_for_disconnect()  # without the event loop, so that only sending can tell

        async def send_all() -> None:
            # The loop has no turn of its own: a send that waits for nothing gives it none.
            for _ in range(10_000):
                await socket.send("x" * 1000)

        with pytest.raises(WebSocketClosedError):
            await send_all()
        socket.abort()
