from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import struct
import sys
import threading

import anyio
import httpx2
import pytest
import trustme
import websockets.exceptions
import websockets.sync.client

from codex_api.testing.actions import (
    AcceptWebSocket,
    Close,
    Hang,
    Open,
    Pause,
    ReadMessage,
    ReadRequest,
    Reset,
    Send,
    SendClose,
    SendMessage,
    SendPing,
    StopReading,
    WaitFor,
    answer,
    stream,
)
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import EXHAUSTED_STATUS, ScriptedServer
from codex_api.testing.websocket_peer import Deflate, NoHandshakeError
from codex_api.testing.wire import (
    chunk,
    http_response,
    sse_comment,
    sse_event,
    sse_head,
)

HELLO = {"type": "response.output_text.delta", "delta": "héllo"}


def exchange(server: ScriptedServer, data: bytes) -> bytes:
    """Send ``data`` and read until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        sock.sendall(data)
        got = bytearray()
        while piece := sock.recv(65536):
            got += piece
        return bytes(got)


def test_answers_are_played_one_per_request_on_any_connection() -> None:
    with ScriptedServer(
        [answer(503, "busy", {"Retry-After": "1"}), answer(200, {"a": 1})]
    ) as server:
        first = httpx2.post(f"{server.url}/responses", json={"n": 1})
        second = httpx2.post(f"{server.url}/responses", json={"n": 2})

        assert (first.status_code, first.text, first.headers["retry-after"]) == (503, "busy", "1")
        assert second.json() == {"a": 1}
        assert [request.json() for request in server.requests] == [{"n": 1}, {"n": 2}]
        assert [request.connection for request in server.requests] == [0, 1]


def test_a_kept_connection_is_told_from_a_new_one() -> None:
    with ScriptedServer([answer(), answer()]) as server, httpx2.Client() as client:
        client.get(server.url)
        client.get(server.url)

        assert [request.connection for request in server.requests] == [0, 0]


def test_header_names_keep_order_and_case() -> None:
    raw = b"POST /v1/x?b=1&a=%20 HTTP/1.1\r\nZeta: 1\r\nalpha:  two \r\nZETA: 3\r\n\r\n"
    with ScriptedServer([[Send(http_response()), Close()]]) as server:
        exchange(server, raw)

        (request,) = server.requests
        assert request.headers == [("Zeta", "1"), ("alpha", "two"), ("ZETA", "3")]
        assert (request.path, request.query) == ("/v1/x", [("b", "1"), ("a", " ")])
        assert bytes(server.connections[0].received) == raw


def test_chunked_request_body_is_put_together() -> None:
    head = b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw = head + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    with ScriptedServer([[Send(http_response()), Close()]]) as server:
        exchange(server, raw)

        assert server.requests[0].body == b"abcde"


def test_running_out_of_answers_is_said_and_counted() -> None:
    with ScriptedServer() as server:
        reply = httpx2.get(server.url)

        assert reply.status_code == EXHAUSTED_STATUS
        assert server.overruns == 1


def test_the_last_answer_can_repeat() -> None:
    with ScriptedServer([answer(500), answer(200)], repeat_last=True) as server:
        assert [httpx2.get(server.url).status_code for _ in range(4)] == [500, 200, 200, 200]


def test_stream_sends_events_as_chunks() -> None:
    with ScriptedServer([stream([HELLO, "[DONE]"], {"x-request-id": "r1"})]) as server:
        reply = httpx2.post(server.url)

        assert reply.headers["x-request-id"] == "r1"
        assert reply.content == sse_event(HELLO) + b"data: [DONE]\n\n"


def test_an_event_waits_behind_a_gate() -> None:
    gate = Gate()
    script = [
        Send(sse_head()),
        Send(chunk(b"one")),
        WaitFor(gate),
        Send(chunk(b"two") + chunk(b"")),
    ]
    with (
        ScriptedServer([script]) as server,
        httpx2.stream("POST", server.url) as reply,
    ):
        chunks = reply.iter_raw()

        assert next(chunks) == b"one"
        gate.set()
        assert b"".join(chunks) == b"two"


def test_a_script_tells_how_far_it_came() -> None:
    reached = Gate()
    with ScriptedServer([[Send(http_response()), Open(reached), Hang()]]) as server:
        httpx2.get(server.url)

        assert reached.wait(5)


@pytest.mark.parametrize("end", ["truncated", "reset"])
def test_a_cut_stream_is_an_error_of_the_connection(end: str) -> None:
    script = stream([HELLO], end="reset" if end == "reset" else "truncated")
    expected = httpx2.ReadError if end == "reset" else httpx2.RemoteProtocolError
    with ScriptedServer([script]) as server, pytest.raises(expected):
        httpx2.post(server.url)


def test_a_reset_is_a_reset() -> None:
    with (
        ScriptedServer(connections=[[ReadRequest(), Reset()]]) as server,
        pytest.raises(ConnectionResetError),
    ):
        exchange(server, b"GET / HTTP/1.1\r\n\r\n")


def test_bytes_can_come_one_at_a_time() -> None:
    with ScriptedServer([[Send(http_response(200, "slow"), piece_bytes=1)]]) as server:
        assert httpx2.get(server.url).text == "slow"


def test_the_end_of_the_client_is_seen_while_the_script_hangs() -> None:
    with ScriptedServer([stream([HELLO], end="hang")]) as server:
        with httpx2.stream("POST", server.url) as reply:
            next(reply.iter_raw())

        assert server.wait_for_disconnect().ending == "eof"


def test_a_reset_of_the_client_is_told_from_its_fin() -> None:
    with ScriptedServer(connections=[[ReadRequest(), Hang()]]) as server:
        sock = socket.create_connection(("127.0.0.1", server.port))
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        server.wait_for_requests(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

        assert server.wait_for_disconnect().ending == "reset"


def test_a_client_of_tls_that_leaves_is_seen_without_a_complaint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with ScriptedServer([stream([HELLO], end="hang")], ssl_context=context) as server:
        address = ("127.0.0.1", server.port)
        for polite in (True, False):
            with trusting.wrap_socket(
                socket.create_connection(address), server_hostname="127.0.0.1"
            ) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
                sock.recv(1)
                if polite:
                    sock.setblocking(False)
                    with contextlib.suppress(OSError):
                        sock.unwrap()
            server.wait_for_disconnect(connection=0 if polite else 1)

    assert caplog.text == ""


def test_a_client_that_leaves_ends_a_pause_and_the_script() -> None:
    script = [Send(sse_head()), Send(chunk(sse_comment())), Pause(60), Send(chunk(b"never"))]
    with ScriptedServer([script]) as server:
        with httpx2.stream("POST", server.url) as reply:
            next(reply.iter_raw())

        assert server.wait_for_disconnect().actions_played == 2


def test_who_waits_hears_of_an_action_that_ends() -> None:
    gate = Gate()
    with (
        ScriptedServer(connections=[[WaitFor(gate), Send(b"x"), Hang()]]) as server,
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        gate.set()
        # Nothing else moves the connection, and the test ends long before this does.
        server.wait_until(
            lambda: [c.actions_played for c in server.connections] == [2], timeout=3600
        )


def test_stopping_does_not_wait_for_open_connections() -> None:
    before = threading.active_count()
    server = ScriptedServer([stream([HELLO], end="hang")]).start()
    with httpx2.Client() as client, client.stream("POST", server.url) as reply:
        chunks = reply.iter_raw()
        next(chunks)
        server.stop()

        with pytest.raises(httpx2.TransportError):
            next(chunks)
    assert threading.active_count() == before


def test_a_broken_script_fails_the_test() -> None:
    server = ScriptedServer([[SendPing()]]).start()
    with pytest.raises(httpx2.TransportError):
        httpx2.get(server.url)

    with pytest.raises(RuntimeError, match="no WebSocket was accepted"):
        server.stop()


def test_a_client_that_is_not_read_comes_to_a_stop() -> None:
    with (
        ScriptedServer(connections=[[StopReading(), Hang()]]) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock,
    ):
        sock.settimeout(0.2)

        with pytest.raises(TimeoutError):
            sock.sendall(bytes(1 << 26))


@pytest.mark.anyio
async def test_it_serves_the_loop_that_started_it() -> None:
    async with ScriptedServer([answer(200, "hi")]) as server, httpx2.AsyncClient() as client:
        assert (await client.get(server.url)).text == "hi"
        await anyio.to_thread.run_sync(server.wait_for_requests, 1)


def ws_url(server: ScriptedServer) -> str:
    return server.url.replace("http", "ws", 1) + "/responses"


@pytest.mark.parametrize("deflate", [None, Deflate(), Deflate(client_no_context_takeover=True)])
def test_websocket_messages_go_both_ways(deflate: Deflate | None) -> None:
    script = [
        AcceptWebSocket({"x-models-etag": "e1"}, deflate),
        ReadMessage(),
        SendMessage({"type": "pong"}),
        SendMessage(b"\x00"),
        SendClose(1001, "bye"),
        Hang(),
    ]
    with ScriptedServer(connections=[script]) as server:
        with websockets.sync.client.connect(ws_url(server)) as socket_:
            assert socket_.response is not None
            assert socket_.response.headers["x-models-etag"] == "e1"
            socket_.send("x" * 100)
            assert socket_.recv() == '{"type":"pong"}'
            assert socket_.recv() == b"\x00"
            with pytest.raises(websockets.exceptions.ConnectionClosedOK):
                socket_.recv()

        record = server.wait_for_disconnect()
        assert record.websocket.messages == ["x" * 100]
        assert record.websocket.close_code == 1001
        # With permessage-deflate the text is not on the wire as it is.
        assert (b"permessage-deflate" in record.received) is True


def test_pings_are_answered_whatever_the_script_does() -> None:
    with ScriptedServer(connections=[[AcceptWebSocket(), Hang()]]) as server:
        with websockets.sync.client.connect(ws_url(server), compression=None) as socket_:
            assert socket_.ping(b"x").wait(5)

        assert server.connections[0].websocket.pings == [b"x"]


def test_a_deaf_server_answers_no_ping() -> None:
    script = [AcceptWebSocket(answers_pings=False), Hang()]
    with (
        ScriptedServer(connections=[script]) as server,
        websockets.sync.client.connect(ws_url(server), close_timeout=0.1) as socket_,
    ):
        pong = socket_.ping(b"x")
        server.wait_until(lambda: server.connections[0].websocket.pings == [b"x"])

        assert not pong.wait(0.1)


def test_a_client_that_waits_is_told_to_go_on() -> None:
    head = b"POST /v1 HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    with (
        ScriptedServer([answer(200, "ok")]) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock,
    ):
        sock.sendall(head)
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"{}")
        assert sock.recv(100).endswith(b"ok")


def test_a_client_that_wants_no_second_request_gets_the_end() -> None:
    with ScriptedServer([answer(200, "ok")]) as server:
        data = exchange(server, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")

    assert data.endswith(b"ok")


@pytest.mark.parametrize(
    "part",
    [
        b"POST /v1 HTTP/1.1\r\ncontent-le",
        b"POST /v1 HTTP/1.1\r\ncontent-length: 9\r\n\r\nabc",
        b"POST /v1 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
        b"POST /v1 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
)
def test_half_a_request_is_no_request(part: bytes) -> None:
    with ScriptedServer([answer()]) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
            sock.sendall(part)
        server.wait_for_disconnect()

        assert server.requests == []
        assert bytes(server.connections[0].received) == part


def test_a_server_that_sends_too_much_waits_for_the_reader() -> None:
    big = Send(bytes(1 << 26))
    with ScriptedServer(connections=[[ReadRequest(), big, big]]) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            sock.recv(1)

        assert server.wait_for_disconnect().actions_played == 1


def test_a_failing_script_is_noted_beside_the_error_of_the_test() -> None:
    with pytest.raises(httpx2.TransportError) as caught, ScriptedServer([[SendPing()]]) as server:
        httpx2.get(server.url)

    assert "no WebSocket was accepted" in caught.value.__notes__[0]


def test_a_client_that_closes_ends_the_wait_for_its_message() -> None:
    script = [AcceptWebSocket(), ReadMessage(), SendMessage("never")]
    with ScriptedServer(connections=[script]) as server:
        with websockets.sync.client.connect(ws_url(server)):
            pass

        record = server.wait_for_disconnect()
        assert (record.ending, record.actions_played) == ("eof", 1)
        assert record.websocket.close_code == 1000


def test_a_fragmented_message_is_put_together() -> None:
    with ScriptedServer(connections=[[AcceptWebSocket(), ReadMessage(), Hang()]]) as server:
        with websockets.sync.client.connect(ws_url(server)) as socket_:
            socket_.send(["a", "b", "c"])

        server.wait_for_disconnect()
        assert server.connections[0].websocket.messages == ["abc"]


def test_a_wait_ends_when_the_client_leaves() -> None:
    with ScriptedServer(connections=[[ReadRequest(), WaitFor(Gate()), Send(b"never")]]) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            server.wait_for_requests(1)

        assert server.wait_for_disconnect().actions_played == 1


def test_a_frame_that_comes_with_the_handshake_is_not_lost() -> None:
    handshake = (
        b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    script = [AcceptWebSocket(), ReadMessage(), SendMessage("got it")]
    with ScriptedServer(connections=[script]) as server:
        data = exchange(server, handshake + b"\x81\x82\0\0\0\0hi")

        assert data.endswith(b"\x81\x06got it")
        assert server.connections[0].websocket.messages == ["hi"]


@pytest.mark.parametrize(
    "data", [b"POST /x HTTP/1.1\r\n\r\n", b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n", b"GET x y\r\n\r\n"]
)
def test_what_is_no_handshake_fails_the_script(data: bytes) -> None:
    server = ScriptedServer(connections=[[AcceptWebSocket()]]).start()
    exchange(server, data)

    with pytest.raises(NoHandshakeError):
        server.stop()


def test_connections_that_come_while_a_server_stops_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: left.append(told.exc_value))

    def connect_on(port: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()

    for _ in range(20):
        server = ScriptedServer([[Hang()]], repeat_last=True).start()
        thread = threading.Thread(target=connect_on, args=(server.port,))
        thread.start()
        server.stop()
        thread.join()
    gc.collect()

    assert left == []
