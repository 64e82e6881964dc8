"""What every HTTP engine has to do, as tests.

All that a new engine needs is a class derived from ``Conformance``, whose name begins with ``Test``
and that has a fixture ``transport``: see ``test_conformance.py``. An engine for one of both worlds
only overrides the fixture ``front``.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

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
from codex_api.transport import Headers, JsonBody, RawBody, Request, StreamedBody, http_request
from codex_api.transport.errors import (
    EventTooLargeError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

# Long enough for a loaded machine; no test waits for it when all is well.
PATIENCE = 10.0
DELTA = {"type": "response.output_text.delta", "delta": "Hi"}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1"}}
# What an engine may fill in by itself.
FILLED_IN = {"accept", "host"}
REQUEST = ResponsesApiRequest(model="m", input="hi")


def get(url: str, **headers: str) -> Request:
    """Return a request without a body."""
    return Request(method="GET", url=url, headers=Headers(headers))


async def read(front: Front, opened: Any, timeout: float = PATIENCE) -> bytes | None:
    """Read a piece of a body as the front's own reader does."""
    if front.is_async:
        async with asyncio.timeout(timeout):
            piece: bytes | None = await opened.read_chunk()
            return piece
    return await to_thread.run_sync(opened.read_chunk, timeout)


async def close(front: Front, opened: Any) -> None:
    """Close a stream, a transport or a client of either front."""
    await front(opened.aclose if front.is_async else opened.close)


@asynccontextmanager
async def streaming(front: Front, transport: Any, request: Request) -> AsyncIterator[Any]:
    """Open a stream, and close it in the end."""
    opened = await front(transport.stream, request, PATIENCE)
    try:
        yield opened
    finally:
        await close(front, opened)


class Conformance:
    """The tests. The fixture ``transport`` gives a ``Transport`` or an ``AsyncTransport``."""

    pytestmark = pytest.mark.anyio

    async def test_the_head_is_ours_and_nothing_else(self, front: Front, transport: Any) -> None:
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
        assert [name.lower() for name in seen.header_names() if name.lower() not in FILLED_IN] == [
            "b",
            "a",
            "content-length",
        ]

    @pytest.mark.parametrize("status", [204, 304, 404, 500])
    async def test_every_status_is_an_answer(
        self, front: Front, transport: Any, status: int
    ) -> None:
        with ScriptedServer([answer(status), answer(status)]) as server:
            response = await front(transport.execute, get(server.url), PATIENCE)
            async with streaming(front, transport, get(server.url)) as opened:
                assert opened.status == status

        assert response.status == status

    async def test_no_redirect_is_followed_even_if_the_client_would(
        self, front: Front, transport: Any
    ) -> None:
        moved = answer(302, b"", {"location": "/elsewhere"})
        with ScriptedServer([moved, moved]) as server:
            assert (await front(transport.execute, get(server.url), PATIENCE)).status == 302
            async with streaming(front, transport, get(server.url)) as opened:
                assert opened.status == 302
            assert len(server.requests) == 2

    async def test_repeated_headers_of_the_answer_are_kept(
        self, front: Front, transport: Any
    ) -> None:
        with ScriptedServer(
            [answer(200, b"", [("set-cookie", "a=1"), ("set-cookie", "b=2")])]
        ) as server:
            response = await front(transport.execute, get(server.url), PATIENCE)

        assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]

    async def test_the_first_chunk_arrives_while_the_rest_is_held_back(
        self, front: Front, transport: Any
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

    async def test_closing_is_seen_by_the_server_at_once(
        self, front: Front, transport: Any
    ) -> None:
        with ScriptedServer([[Send(sse_head()), Send(chunk(b"x")), Hang()]]) as server:
            async with streaming(front, transport, get(server.url)) as opened:
                await read(front, opened)
                await close(front, opened)

                assert await to_thread.run_sync(server.wait_for_disconnect)

    @pytest.mark.parametrize("end", [Close(), Reset()])
    async def test_a_body_that_is_cut_is_a_network_error(
        self, front: Front, transport: Any, end: Close | Reset
    ) -> None:
        gate = Gate()
        script = [Send(sse_head()), Send(chunk(b"x")), WaitFor(gate), end]
        with ScriptedServer([script]) as server:
            async with streaming(front, transport, get(server.url)) as opened:
                assert await read(front, opened) == b"x"
                gate.set()

                with pytest.raises(NetworkError):
                    await read(front, opened)

    async def test_a_refused_connection_is_a_network_error(
        self, front: Front, transport: Any
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        for call in (transport.execute, transport.stream):
            with pytest.raises(NetworkError) as caught:
                await front(call, get(f"http://127.0.0.1:{port}/?key=s3cret"), PATIENCE)

            assert "s3cret" not in str(caught.value)

    async def test_an_answer_that_does_not_come_is_late(self, front: Front, transport: Any) -> None:
        with ScriptedServer([[Hang()], [Hang()]]) as server:
            for call in (transport.execute, transport.stream):
                with pytest.raises(TransportTimeoutError):
                    await front(call, get(server.url), 0.05)

    async def test_an_answer_that_trickles_is_late_all_the_same(
        self, front: Front, transport: Any
    ) -> None:
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
        self,
        front: Front,
        transport: Any,
        call: str,
        start: bytes,
        drop: bytes,
        end: bytes,
        *,
        reused: bool,
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

    async def test_each_read_of_a_stream_has_a_limit_of_its_own(
        self, front: Front, transport: Any
    ) -> None:
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
        self, front: Front, transport: Any, monkeypatch: pytest.MonkeyPatch, *, declared: bool
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

    async def test_a_streamed_body_goes_out_with_its_length(
        self, front: Front, transport: Any
    ) -> None:
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
            get("http://127.0.0.1:9/a\nb"),
            get("ftp://127.0.0.1:9/"),
            Request(method="GET", url="http://127.0.0.1:9/", body=JsonBody({})),
            Request(
                method="GET", url="http://127.0.0.1:9/", headers=Headers.received([("a", "\ud800")])
            ),
        ],
        ids=["url", "scheme", "body", "header"],
    )
    async def test_what_cannot_be_sent_is_refused(
        self, front: Front, transport: Any, request_: Request
    ) -> None:
        for call in (transport.execute, transport.stream):
            with pytest.raises(RequestBuildError):
                await front(call, request_, PATIENCE)

    async def test_a_whole_client_works_over_it(self, front: Front, transport: Any) -> None:
        with ScriptedServer(
            [answer(503), stream([DELTA, COMPLETED]), answer(200, {"models": []})]
        ) as server:
            provider = Provider("t", server.url, retry=RetryConfig(base_delay=0.0))
            client = front.pick(Client, AsyncClient)(
                provider, auth=ApiKeyAuth("k"), transport=transport
            )
            async with front.entering(client):
                response = await front(client.responses.stream(REQUEST).collect)
                page = await front(client.models.list)
            first, second, _ = server.requests

        assert (response.text, page.models) == ("Hi", [])
        assert first.body == second.body
        assert second.header("authorization") == "Bearer k"
        assert second.header("accept") == "text/event-stream"

    async def test_a_broken_stream_of_a_whole_client_is_a_closed_stream(
        self, front: Front, transport: Any
    ) -> None:
        with ScriptedServer([stream([DELTA], end="truncated")]) as server:
            client = front.pick(Client, AsyncClient)(Provider("t", server.url), transport=transport)
            async with (
                front.entering(client),
                front.entering(client.responses.stream(REQUEST)) as s,
            ):
                received: list[Any] = []
                with pytest.raises(errors.StreamClosedError):  # noqa: PT012 - a loop is one
                    async for event in front.iterate(s):
                        received.append(event)  # noqa: PERF401 - what came before the error counts

        assert received[-1] == events.OutputTextDelta("Hi")

    async def test_an_empty_body_is_none_at_once(self, front: Front, transport: Any) -> None:
        with ScriptedServer([answer(200), answer(204)]) as server:
            for _ in range(2):
                async with streaming(front, transport, get(server.url)) as opened:
                    assert await read(front, opened) is None

    async def test_closing_twice_does_no_harm(self, front: Front, transport: Any) -> None:
        with ScriptedServer([answer(200, b"ok")]) as server:
            async with streaming(front, transport, get(server.url)) as opened:
                await close(front, opened)
        await close(front, transport)
        await close(front, transport)

    async def test_no_error_text_holds_the_query(self, front: Front, transport: Any) -> None:
        with ScriptedServer([[Close()], [Reset()], [Hang()]]) as server:
            for _ in range(3):
                with pytest.raises((NetworkError, TransportTimeoutError)) as caught:
                    await front(transport.execute, get(f"{server.url}/?key=s3cret"), 0.2)

                assert "s3cret" not in str(caught.value)
