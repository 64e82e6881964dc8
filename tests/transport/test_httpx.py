"""The adapter for clients of httpx2, against bytes on loopback."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from anyio import to_thread

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    Client,
    Provider,
    ResponsesApiRequest,
    RetryConfig,
    errors,
    events,
)
from codex_api.testing.actions import Close, Hang, Pause, Reset, Send, WaitFor, answer, stream
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.testing.wire import chunk, http_head, last_chunk, sse_head
from codex_api.transport import (
    AsyncHttpxTransport,
    Headers,
    HttpxTransport,
    JsonBody,
    RawBody,
    Request,
    StreamedBody,
    http_request,
)
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    EventTooLargeError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

pytestmark = pytest.mark.anyio

# Long enough for a loaded machine; no test waits for it when all is well.
PATIENCE = 10.0
DELTA = {"type": "response.output_text.delta", "delta": "Hi"}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1"}}


def get(url: str, **headers: str) -> Request:
    return Request(method="GET", url=url, headers=Headers(headers))


@pytest.fixture
async def engine(front: Front) -> AsyncIterator[Any]:
    client = front.pick(httpx2.Client, httpx2.AsyncClient)(
        trust_env=False, headers={"x-own": "1"}, follow_redirects=True, auth=("u", "p")
    )
    yield client
    await close(front, client)


@pytest.fixture
def transport(front: Front, engine: Any) -> Any:
    return front.pick(HttpxTransport, AsyncHttpxTransport)(engine)


async def read(front: Front, opened: Any, timeout: float = PATIENCE) -> bytes | None:
    if front.is_async:
        async with asyncio.timeout(timeout):
            chunk: bytes | None = await opened.read_chunk()
            return chunk
    return await to_thread.run_sync(opened.read_chunk, timeout)


async def close(front: Front, opened: Any) -> None:
    await front(opened.aclose if front.is_async else opened.close)


@asynccontextmanager
async def streaming(front: Front, transport: Any, request: Request) -> AsyncIterator[Any]:
    opened = await front(transport.stream, request, PATIENCE)
    try:
        yield opened
    finally:
        await close(front, opened)


async def test_the_head_is_ours_and_nothing_else(front: Front, transport: Any) -> None:
    request = Request(
        method="POST", url="", headers=Headers({"b": "1", "a": "2"}), body=RawBody(b"{}")
    )
    with ScriptedServer([answer(200, b"ok", {"x-a": "1"})]) as server:
        to_server = Request(
            method="POST", url=server.url, headers=request.headers, body=request.body
        )
        response = await front(transport.execute, to_server, PATIENCE)
        (seen,) = server.requests

    assert (response.status, response.body, response.headers["x-a"]) == (200, b"ok", "1")
    assert seen.body == b"{}"
    assert [name.lower() for name in seen.header_names() if name.lower() != "host"] == [
        "b",
        "a",
        "content-length",
    ]


@pytest.mark.parametrize("status", [204, 304, 404, 500])
async def test_every_status_is_an_answer(front: Front, transport: Any, status: int) -> None:
    with ScriptedServer([answer(status), answer(status)]) as server:
        response = await front(transport.execute, get(server.url), PATIENCE)
        async with streaming(front, transport, get(server.url)) as opened:
            assert opened.status == status

    assert response.status == status


async def test_no_redirect_is_followed_even_if_the_client_would(
    front: Front, transport: Any
) -> None:
    moved = answer(302, b"", {"location": "/elsewhere"})
    with ScriptedServer([moved, moved]) as server:
        assert (await front(transport.execute, get(server.url), PATIENCE)).status == 302
        async with streaming(front, transport, get(server.url)) as opened:
            assert opened.status == 302
        assert len(server.requests) == 2


async def test_the_clients_own_credentials_are_not_sent(front: Front, transport: Any) -> None:
    with ScriptedServer([answer(200)]) as server:
        await front(transport.execute, get(server.url, authorization="Bearer k"), PATIENCE)

        assert server.requests[0].header("authorization") == "Bearer k"
        assert server.requests[0].header("x-own") is None


async def test_repeated_headers_of_the_answer_are_kept(front: Front, transport: Any) -> None:
    with ScriptedServer(
        [answer(200, b"", [("set-cookie", "a=1"), ("set-cookie", "b=2")])]
    ) as server:
        response = await front(transport.execute, get(server.url), PATIENCE)

    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]


async def test_the_first_chunk_arrives_while_the_rest_is_held_back(
    front: Front, transport: Any
) -> None:
    gate = Gate()
    script = [Send(sse_head()), Send(chunk(b"first")), WaitFor(gate), Send(chunk(b"second"))]
    with ScriptedServer([[*script, Send(last_chunk())]]) as server:
        async with streaming(front, transport, get(server.url)) as opened:
            assert await read(front, opened) == b"first"
            gate.set()
            assert await read(front, opened) == b"second"
            assert await read(front, opened) is None
            assert await read(front, opened) is None


async def test_closing_is_seen_by_the_server_at_once(front: Front, transport: Any) -> None:
    with ScriptedServer([[Send(sse_head()), Send(chunk(b"x")), Hang()]]) as server:
        async with streaming(front, transport, get(server.url)) as opened:
            await read(front, opened)
            await close(front, opened)

            assert await to_thread.run_sync(server.wait_for_disconnect)


@pytest.mark.parametrize("end", [Close(), Reset()])
async def test_a_body_that_is_cut_is_a_network_error(
    front: Front, transport: Any, end: Close | Reset
) -> None:
    gate = Gate()
    script = [Send(sse_head()), Send(chunk(b"x")), WaitFor(gate), end]
    with ScriptedServer([script]) as server:
        async with streaming(front, transport, get(server.url)) as opened:
            assert await read(front, opened) == b"x"
            gate.set()

            with pytest.raises(NetworkError):
                await read(front, opened)


async def test_a_refused_connection_is_a_network_error(front: Front, transport: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for call in (transport.execute, transport.stream):
        with pytest.raises(NetworkError) as caught:
            await front(call, get(f"http://127.0.0.1:{port}/?key=s3cret"), PATIENCE)

        assert "s3cret" not in str(caught.value)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Give a port where connections wait in vain for being accepted."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as waiting:
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems let some more in")
async def test_a_connection_that_is_not_made_in_time_is_late(
    front: Front, transport: Any, deaf_port: int
) -> None:
    """Under asyncio our own limit ends it, which cannot tell connecting from waiting."""
    for call in (transport.execute, transport.stream):
        with pytest.raises(TransportTimeoutError) as caught:
            await front(call, get(f"http://127.0.0.1:{deaf_port}/"), 0.05)

        assert isinstance(caught.value, ConnectTimeoutError) is not front.is_async
        assert caught.value.__cause__ is not caught.value


async def test_an_answer_that_does_not_come_is_late(front: Front, transport: Any) -> None:
    with ScriptedServer([[Hang()], [Hang()]]) as server:
        for call in (transport.execute, transport.stream):
            with pytest.raises(TransportTimeoutError):
                await front(call, get(server.url), 0.05)


async def test_an_answer_that_trickles_is_late_all_the_same(front: Front, transport: Any) -> None:
    script = [Send(http_head(200, {"content-length": "1000"}))]
    for _ in range(100):
        script += [Send(b"x"), Pause(0.02)]  # type: ignore[list-item]  # a list of actions
    with ScriptedServer([script]) as server, pytest.raises(TransportTimeoutError):
        await front(transport.execute, get(server.url), 0.2)


@pytest.mark.parametrize("call", ["execute", "stream"])
@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize(
    ("start", "drop", "end"),
    [
        (b"HTTP/1.1 200 OK\r\nx: ", b"y", b"\r\ncontent-length: 0\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", http_head(200, {"content-length": "0"})),
    ],
    ids=["slow head", "endless 1xx"],
)
async def test_head_that_comes_in_drops_obeys_the_limit(
    front: Front, transport: Any, call: str, start: bytes, drop: bytes, end: bytes, *, reused: bool
) -> None:
    # Without a limit on the whole of it the answer would be there after a second.
    script = [Send(start), *([Send(drop), Pause(0.02)] * 50), Send(end)]
    before = [answer(200, b"ok")] if reused else []
    with ScriptedServer([*before, script]) as server:
        if reused:
            await front(transport.execute, get(server.url), PATIENCE)
        with pytest.raises(TransportTimeoutError):
            await front(getattr(transport, call), get(server.url), 0.1)
        assert await to_thread.run_sync(server.wait_for_disconnect)
        assert len(server.connections) == 1


async def test_each_read_of_a_stream_has_a_limit_of_its_own(front: Front, transport: Any) -> None:
    gate = Gate()
    script = [Send(sse_head()), Send(chunk(b"x")), WaitFor(gate), Send(chunk(b"y")), Hang()]
    with ScriptedServer([script]) as server:
        async with streaming(front, transport, get(server.url)) as opened:
            assert await read(front, opened, 0.2) == b"x"
            release = threading.Timer(0.4, gate.set)
            release.start()
            assert await read(front, opened) == b"y"
            release.join()
            with pytest.raises((TransportTimeoutError, TimeoutError)):
                await read(front, opened, 0.05)


@pytest.mark.parametrize("declared", [True, False])
async def test_answer_too_large_to_keep_is_refused(
    front: Front, transport: Any, monkeypatch: pytest.MonkeyPatch, *, declared: bool
) -> None:
    monkeypatch.setattr(http_request, "MAX_BODY_BYTES", 1000)
    if declared:
        script: list[Any] = [Send(http_head(200, {"content-length": "1001"})), Hang()]
    else:
        script = [Send(sse_head()), *[Send(chunk(bytes(501)))] * 2, Hang()]
    with ScriptedServer([script]) as server:
        with pytest.raises(EventTooLargeError, match="larger than 1000"):
            await front(transport.execute, get(server.url), PATIENCE)
        assert await to_thread.run_sync(server.wait_for_disconnect)


def test_a_blocking_read_has_the_limit_of_its_stream() -> None:
    with (
        httpx2.Client(trust_env=False) as client,
        ScriptedServer([[Send(sse_head()), Hang()]]) as s,
    ):
        opened = HttpxTransport(client).stream(get(s.url), PATIENCE)
        with pytest.raises(TransportTimeoutError):
            opened.read_chunk(0.05)
        opened.close()


async def test_a_streamed_body_goes_out_with_its_length(front: Front, transport: Any) -> None:
    async def later() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    def now() -> Iterator[bytes]:
        yield b"ab"
        yield b"c"

    source = front.pick(now, later)
    with ScriptedServer([answer(200), answer(200)]) as server:
        for length in (3, None):
            body = StreamedBody(source, length)
            request = Request(method="PUT", url=server.url, body=body)
            await front(transport.execute, request, PATIENCE)
        known, unknown = server.requests

    assert (known.body, known.header("content-length")) == (b"abc", "3")
    assert known.header("transfer-encoding") is None
    assert (unknown.body, unknown.header("transfer-encoding")) == (b"abc", "chunked")


@pytest.mark.parametrize(
    "request_",
    [
        get("http://127.0.0.1:9/\n"),
        get("ftp://127.0.0.1:9/"),
        Request(method="GET", url="http://127.0.0.1:9/", body=JsonBody({})),
        Request(
            method="GET", url="http://127.0.0.1:9/", headers=Headers.received([("a", "\ud800")])
        ),
    ],
    ids=["url", "scheme", "body", "header"],
)
async def test_what_cannot_be_sent_is_refused(
    front: Front, transport: Any, request_: Request
) -> None:
    for call in (transport.execute, transport.stream):
        with pytest.raises(RequestBuildError):
            await front(call, request_, PATIENCE)


async def test_a_closed_client_says_so(front: Front, transport: Any, engine: Any) -> None:
    await close(front, engine)
    for call in (transport.execute, transport.stream):
        with pytest.raises(ClientStateError, match="closed"):
            await front(call, get("http://127.0.0.1:9/"), PATIENCE)


async def test_closing_the_transport_leaves_the_client_open(
    front: Front, transport: Any, engine: Any
) -> None:
    await close(front, transport)

    assert not engine.is_closed


async def test_a_whole_client_works_over_it(front: Front, transport: Any) -> None:
    with ScriptedServer(
        [answer(503), stream([DELTA, COMPLETED]), answer(200, {"models": []})]
    ) as server:
        provider = Provider("t", server.url, retry=RetryConfig(base_delay=0.0))
        client = front.pick(Client, AsyncClient)(
            provider, auth=ApiKeyAuth("k"), transport=transport
        )
        async with front.entering(client):
            response = await front(client.responses.stream(_REQUEST).collect)
            page = await front(client.models.list)
        first, second, _ = server.requests

    assert (response.text, page.models) == ("Hi", [])
    assert first.body == second.body
    assert second.header("authorization") == "Bearer k"
    assert second.header("accept") == "text/event-stream"


async def test_a_broken_stream_of_a_whole_client_is_a_closed_stream(
    front: Front, transport: Any
) -> None:
    with ScriptedServer([stream([DELTA], end="truncated")]) as server:
        client = front.pick(Client, AsyncClient)(Provider("t", server.url), transport=transport)
        async with front.entering(client), front.entering(client.responses.stream(_REQUEST)) as s:
            received: list[Any] = []
            with pytest.raises(errors.StreamClosedError):  # noqa: PT012 - a loop is one
                async for event in front.iterate(s):
                    received.append(event)  # noqa: PERF401 - what came before the error counts

    assert received[-1] == events.OutputTextDelta("Hi")


def test_one_blocking_client_serves_several_threads() -> None:
    answers: list[int] = []
    with (
        httpx2.Client(trust_env=False) as client,
        ScriptedServer([answer(200)], repeat_last=True) as server,
    ):
        transport = HttpxTransport(client)

        def ask() -> None:
            answers.append(transport.execute(get(server.url), PATIENCE).status)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == [200] * 4


_REQUEST = ResponsesApiRequest(model="m", input="hi")
